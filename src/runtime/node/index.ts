/**
 * What ships to the users' users, for Node: gives a `WebAssembly.Module` from an artifact. No dependencies; nothing
 * here imports from the build side.
 */
import type { Addons } from './addon.ts';
import { type ArtifactOptions, loadArtifact } from './artifact.ts';
import type { ArtifactManifest } from '../shared/manifest.ts';
import { createHandle, type ModuleHandle } from './steps.ts';

export type { Addons } from './addon.ts';
export type { ArtifactOptions, CheckCompatibility as Fit } from './artifact.ts';
export { checksum } from './checksum.ts';
export { initializer } from '../shared/module-handle.ts';
export type { ArtifactManifest as ArtifactMap } from '../shared/manifest.ts';
export type { ModuleHandle as ModuleLoader } from './steps.ts';

/**
 * A loader for an artifact.
 *
 * @param url file URL of the artifact
 * @param manifest what the build wrote of its layout
 * @param addons file URLs and checksums (`checksum`) of the native loader's binaries; without them files are read instead of mapped, and
 *   Node 26 and later compile
 */
export function fromArtifact(
  url: string,
  manifest: ArtifactManifest,
  options: ArtifactOptions,
  addons: Addons = {},
): ModuleHandle {
  const load = options.split ?? loadArtifact;
  return createHandle((asynchronous) => load(url, manifest, options, addons, asynchronous));
}
