/** Writes TypeScript declarations beside wasm files. */
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import type { WasmInterface } from '../../wasm/binary/types.ts';
import { writeAtomic } from '../../common/write-atomic.ts';
import { generateInitDeclaration, generateModuleDeclaration, HEADER } from './declarations.ts';

/**
 * Which `moduleResolution` of TypeScript finds them: `bundler` looks for `x.wasm.d.ts`, `nodenext` for `x.d.wasm.ts`, which
 * takes the option `allowArbitraryExtensions`.
 */
export type DeclarationStyle = 'bundler' | 'nodenext';

/** `foreign`: there is a file that we have not made, and it was left. */
export interface Declaration {
  /** Absolute path. */
  file: string;
  outcome: 'written' | 'unchanged' | 'foreign';
}

/** Whether a file is installed, not written here. */
export function isInstalled(file: string): boolean {
  return file.split(/[\\/]/).includes('node_modules');
}

/**
 * Writes the declarations of a wasm file where they have changed.
 *
 * @param file absolute path, which ends in `.wasm`
 * @throws WasmPrecompileError `UNWRITABLE_FILE`
 */
export async function writeDeclarations(
  file: string,
  wasmInterface: WasmInterface,
  style: DeclarationStyle,
): Promise<Declaration[]> {
  const name = basename(file);
  const withoutExtension = file.replace(/\.wasm$/, '');
  const module = await writeOwn(
    style === 'bundler' ? `${file}.d.ts` : `${withoutExtension}.d.wasm.ts`,
    generateModuleDeclaration(name, wasmInterface),
  );
  // It takes its types from the other. A pattern has one star.
  if (module.outcome === 'foreign' || name.includes('*')) return [module];
  const types = style === 'bundler' ? `./${name}.js` : `./${name}`;
  const init = await writeOwn(
    join(dirname(file), `${name}.init.d.ts`),
    generateInitDeclaration(name, types, wasmInterface),
  );
  return [module, init];
}

async function writeOwn(file: string, content: string): Promise<Declaration> {
  try {
    const before = await readIfThere(file);
    if (before === content) return { file, outcome: 'unchanged' };
    if (before !== undefined && !before.startsWith(HEADER)) return { file, outcome: 'foreign' };
    await writeAtomic(file, Buffer.from(content));
    return { file, outcome: 'written' };
  } catch (error) {
    throw new WasmPrecompileError('UNWRITABLE_FILE', `${file}: cannot be written: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
