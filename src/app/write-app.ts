/**
 * Writes what a program needs that no bundler has built: an artifact for each module that it compiled in a training
 * run, the addon's binaries and the index, in one folder. The register hook reads it.
 */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Pipeline } from '../build/compile/pipeline.ts';
import { readBytes } from '../build/compile/read-source.ts';
import { compileTrained, type CompileTrainedSetup } from '../build/training/compile-trained.ts';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { sha256 } from '../common/sha256.ts';
import { writeAtomic } from '../common/write-atomic.ts';
import type { Profile } from '../profile/startup-profile.ts';
import { checksum } from '../runtime/node/checksum.ts';
import { APP_FORMAT, APP_INDEX, type AppIndex, type AppModule } from '../runtime/node/register/app-index.ts';
import type { ArtifactManifest } from '../runtime/shared/manifest.ts';
import type { TrainedModule } from '../train/trained-modules.ts';

/** The hook trusts only what no other user may write to, and many systems have the umask 002. */
const FOLDER_MODE = 0o755;
const FILE_MODE = 0o644;

/** The result for one module. */
export interface AppResult {
  name: string;
  /** Bytes of the module. */
  size: number;
  /** Functions with native code, of all; undefined if it is not precompiled. */
  functions?: { compiled: number; declared: number };
  /** Why it is not precompiled. */
  reason?: string;
}

/**
 * Modules of an earlier index that the program did not compile this time stay in it: another command may have recorded
 * them.
 *
 * @param folder created if it does not exist
 * @throws WasmPrecompileError `UNWRITABLE_FILE`
 */
export async function writeApp(
  folder: string,
  modules: readonly TrainedModule[],
  profiles: readonly Profile[],
  setup: CompileTrainedSetup,
): Promise<AppResult[]> {
  const results: AppResult[] = [];
  const entries: (AppModule & { bytes: Uint8Array })[] = [];
  for (const module of modules) {
    const { name, wire } = module;
    const profile = profiles.find(({ sha256: hash }) => hash === module.sha256);
    // One after another: each holds native code for all functions.
    // oxlint-disable-next-line no-await-in-loop
    const compiled = await compileTrained(module, profile, setup);
    if ('reason' in compiled) {
      results.push({ name, size: wire.length, reason: compiled.reason });
      continue;
    }
    const { fileName, manifest, bytes, contents } = compiled;
    entries.push({ name, file: fileName, manifest, bytes });
    const statistics = contents.native[0]?.statistics ?? { compiled: 0, functions: 0 };
    results.push({
      name,
      size: wire.length,
      functions: { compiled: statistics.compiled, declared: statistics.functions },
    });
  }
  if (entries.length > 0) await writeFolder(folder, entries, setup.pipeline);
  return results;
}

async function writeFolder(
  folder: string,
  entries: readonly (AppModule & { bytes: Uint8Array })[],
  pipeline: Pipeline,
): Promise<void> {
  const before = await readIndex(folder);
  const keys = new Set(entries.map(({ manifest }) => keyOf(manifest)));
  const kept = before.filter(({ manifest }) => !keys.has(keyOf(manifest)));
  const addons: AppIndex['addons'] = {};
  try {
    await mkdir(folder, { recursive: true });
    await chmod(folder, FOLDER_MODE);
    for (const [key, file] of await pipeline.addons()) {
      // oxlint-disable-next-line no-await-in-loop
      const binary = await readBytes(file);
      const name = `${key}-${sha256(binary).slice(0, 8)}.node`;
      addons[key] = [name, checksum(binary)];
      // oxlint-disable-next-line no-await-in-loop
      await writeAtomic(join(folder, name), binary, FILE_MODE);
    }
    await Promise.all(entries.map(({ file, bytes }) => writeAtomic(join(folder, file), bytes, FILE_MODE)));
    // The index comes last, when all the files that it names exist.
    const index: AppIndex = {
      format: APP_FORMAT,
      addons,
      modules: [...kept, ...entries.map(({ name, file, manifest }) => ({ name, file, manifest }))],
    };
    await writeAtomic(join(folder, APP_INDEX), Buffer.from(`${JSON.stringify(index)}\n`), FILE_MODE);
    const named = new Set(index.modules.map(({ file }) => file));
    await Promise.all(
      before
        .filter(({ file }) => !named.has(file))
        .map(({ file }) => rm(join(folder, file), { force: true })),
    );
  } catch (error) {
    throw new WasmPrecompileError('UNWRITABLE_FILE', `${folder}: cannot be written: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The modules of an earlier index; none if it cannot be used. */
async function readIndex(folder: string): Promise<AppModule[]> {
  try {
    const index = JSON.parse(await readFile(join(folder, APP_INDEX), 'utf8')) as AppIndex;
    if (index.format !== APP_FORMAT) return [];
    return index.modules.filter(({ file }) => basename(file) === file && existsSync(join(folder, file)));
  } catch {
    return [];
  }
}

/** The same for two artifacts of one module. */
function keyOf({ wire, split }: ArtifactManifest): string {
  const { size, crc32 } = split?.original ?? wire;
  return `${size} ${crc32}`;
}
