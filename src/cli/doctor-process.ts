/**
 * Loads one artifact as a program does. `wasm-precompile doctor` runs this script with the node and the flags to check.
 * Standard input and output carry JSON.
 */
import { readFileSync } from 'node:fs';
import { checkCompatibility } from '../runtime/node/compatibility.ts';
import { type Addons, type ArtifactManifest, fromArtifact } from '../runtime/node/index.ts';

export interface CompatibilityRequest {
  /** File URL of the artifact. */
  url: string;
  manifest: ArtifactManifest;
  addons: Addons;
}

export interface CompatibilityResult {
  precompiled: boolean;
  /** Node, CPU level and engine key of the native code; or the reason why it is not used. */
  detail: string;
}

function checkArtifact({ url, manifest, addons }: CompatibilityRequest): CompatibilityResult {
  if (manifest.native.length === 0) return { precompiled: false, detail: 'the artifact contains none' };
  try {
    fromArtifact(url, manifest, { verify: true, fallback: 'error', checkCompatibility }, addons).loadSync();
  } catch (error) {
    const { message } = error as Error;
    return { precompiled: false, detail: /code is not used: (.*)\. /.exec(message)?.[1] ?? message };
  }
  const version = `v8-${process.versions.v8}-`;
  const used = manifest.native.find(({ engine }) => engine.startsWith(version));
  return { precompiled: true, detail: used ? `${used.node}, ${used.cpu.level}, ${used.engine}` : '' };
}

console.log(JSON.stringify(checkArtifact(JSON.parse(readFileSync(0, 'utf8')) as CompatibilityRequest)));
