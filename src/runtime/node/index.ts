/**
 * What ships to the users' users, for Node: gives a `WebAssembly.Module` from an artifact. No dependencies; nothing
 * here imports from the build side.
 */
import type { Addons } from './addon.ts';
import { type ArtifactOptions, loadArtifact } from './artifact.ts';
import type { ArtifactMap } from '../shared/manifest.ts';
import { createLoader, type ModuleLoader } from './steps.ts';

export type { Addons } from './addon.ts';
export type { ArtifactOptions, Fit } from './artifact.ts';
export { checksum } from './checksum.ts';
export { initializer } from '../shared/module-handle.ts';
export type { ArtifactMap } from '../shared/manifest.ts';
export type { ModuleLoader } from './steps.ts';

/**
 * A loader for an artifact.
 *
 * @param url file URL of the artifact
 * @param map what the build wrote of its layout
 * @param addons file URLs and checksums (`checksum`) of the native loader's binaries; without them files are read instead of mapped, and
 *   Node 26 and later compile
 */
export function fromArtifact(
  url: string,
  map: ArtifactMap,
  options: ArtifactOptions,
  addons: Addons = {},
): ModuleLoader {
  const load = options.split ?? loadArtifact;
  return createLoader((asynchronous) => load(url, map, options, addons, asynchronous));
}
