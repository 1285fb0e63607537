/**
 * What `wasm-precompile doctor` runs in the node that it asks about, with the flags that it asks about: loads one artifact as
 * a program does. Standard input and output carry JSON.
 */
import { readFileSync } from 'node:fs';
import { checkCompatibility } from '../runtime/node/compatibility.ts';
import { type Addons, type ArtifactMap, fromArtifact } from '../runtime/node/index.ts';

export interface Patient {
  /** File URL of the artifact. */
  url: string;
  manifest: ArtifactMap;
  addons: Addons;
}

export interface Examination {
  precompiled: boolean;
  /** Node, CPU level and engine key of what is used, or why native code is not used. */
  detail: string;
}

function examine({ url, manifest, addons }: Patient): Examination {
  if (manifest.native.length === 0) return { precompiled: false, detail: 'the artifact holds none' };
  try {
    fromArtifact(
      url,
      manifest,
      { verify: true, fallback: 'error', checkCompatibility: checkCompatibility },
      addons,
    ).loadSync();
  } catch (error) {
    const { message } = error as Error;
    return { precompiled: false, detail: /native code is not used: (.*)\. /.exec(message)?.[1] ?? message };
  }
  const version = `v8-${process.versions.v8}-`;
  const used = manifest.native.find(({ engine }) => engine.startsWith(version));
  return { precompiled: true, detail: used ? `${used.node}, ${used.cpu.level}, ${used.engine}` : '' };
}

console.log(JSON.stringify(examine(JSON.parse(readFileSync(0, 'utf8')) as Patient)));
