/**
 * The runtime for Node, which programs ship with: creates a `WebAssembly.Module` from an artifact. It has no
 * dependencies and imports nothing from the build.
 */
import type { Addons } from './addon.ts';
import { type ArtifactOptions, loadArtifact } from './artifact.ts';
import type { ArtifactManifest } from '../shared/manifest.ts';
import { createHandle, type ModuleHandle } from './steps.ts';

export type { Addons } from './addon.ts';
export type { ArtifactOptions, CheckCompatibility } from './artifact.ts';
export { checksum } from './checksum.ts';
export { initializer } from '../shared/module-handle.ts';
export type { ArtifactManifest } from '../shared/manifest.ts';
export type { ModuleHandle } from './steps.ts';

/**
 * Returns a handle for the module in an artifact.
 *
 * @param url file URL of the artifact
 * @param manifest the layout of the artifact, as the build wrote it
 * @param addons file URLs and checksums (`checksum`) of the native addon's binaries. Without them, files are read
 *   instead of mapped, and Node 26 and later compile the module
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
