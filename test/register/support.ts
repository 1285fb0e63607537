/**
 * Programs that the register hook accelerates, without a bundler: a folder with artifacts, addons and the
 * register file.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { packArtifact } from '../../src/artifact/pack.ts';
import { generateRegister, type IndexedArtifact, registerName } from '../../src/build/codegen/register.ts';
import { createPipeline } from '../../src/build/compile/pipeline.ts';
import { resolveOptions } from '../../src/build/options/resolve.ts';
import { checksum } from '../../src/runtime/node/checksum.ts';

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/wasm-precompile-tests', import.meta.url));

export interface RegisteredOptions {
  targets: string[];
  /** Path of a startup profile: modules are split by it. */
  profile?: string;
  fallback?: 'warn' | 'silent' | 'error';
}

/**
 * Precompiles wasm files, and writes the register file in both formats.
 *
 * @returns the paths of the register files
 */
export async function writeRegister(
  folder: string,
  files: readonly string[],
  { targets, profile, fallback = 'warn' }: RegisteredOptions,
): Promise<{ esm: string; cjs: string }> {
  const pipeline = createPipeline(
    resolveOptions({
      cache: CACHE,
      targets,
      strip: false,
      ...(profile !== undefined && { profile, split: { minSaving: 0 } }),
    }),
    {
      warn: (message) => {
        throw new Error(message);
      },
      progress: { track: (_, job) => job() },
    },
  );
  mkdirSync(folder, { recursive: true });
  const artifacts: IndexedArtifact[] = [];
  for (const [index, file] of files.entries()) {
    // oxlint-disable-next-line no-await-in-loop
    const { bytes, manifest } = packArtifact(
      await pipeline.compile(await pipeline.read(file), profile !== undefined),
    );
    const name = `module-${index}.elf`;
    writeFileSync(path.join(folder, name), bytes);
    artifacts.push({ name, manifest, split: undefined });
  }
  const addons = [...(await pipeline.addons())].map(([key, file]) => {
    cpSync(file, path.join(folder, `${key}.node`));
    return [key, `${key}.node`, checksum(readFileSync(file))] as const;
  });
  const index = {
    artifacts,
    addons,
    options: { verify: true, fallback },
    recompile: undefined,
    trains: false,
  };
  const write = async (format: 'esm' | 'cjs') => {
    const file = path.join(folder, registerName(format));
    writeFileSync(file, await generateRegister(format, index));
    return file;
  };
  return { esm: await write('esm'), cjs: await write('cjs') };
}
