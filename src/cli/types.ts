/** `wasm-precompile types`: TypeScript declarations beside wasm files. */
import { relative } from 'node:path';
import { Command } from 'commander';
import { type Declaration, isInstalled, writeDeclarations } from '../build/types/declaration-files.ts';
import { readBytes } from '../build/compile/pipeline.ts';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { readModule } from '../wasm/binary/module.ts';
import { warn } from './warn.ts';
import { findFiles } from './wasm-files.ts';

interface TypesFlags {
  nodenext?: true;
}

export function typesCommand(): Command {
  return new Command('types')
    .description('write TypeScript declarations beside wasm files')
    .argument('<files...>', 'wasm files, or globs of them; those in node_modules are left out of globs')
    .option('--nodenext', 'for `moduleResolution: nodenext` with `allowArbitraryExtensions`: x.d.wasm.ts')
    .action(writeTypes);
}

async function writeTypes(patterns: string[], { nodenext }: TypesFlags): Promise<void> {
  const files = await findFiles(patterns, { ignore: '**/node_modules/**' });
  for (const file of files) refuse(file);
  const results = await Promise.allSettled(
    files.map(async (file) =>
      writeDeclarations(file, readModule(await readBytes(file), file), nodenext ? 'nodenext' : 'bundler'),
    ),
  );
  for (const result of results) {
    if (result.status === 'fulfilled') for (const declaration of result.value) print(declaration);
  }
  const reasons = results.flatMap((result): unknown[] =>
    result.status === 'rejected' ? [result.reason] : [],
  );
  if (reasons.length > 0) throw new Error(reasons.map(messageOf).join('\nwasm-precompile: '));
}

/** @throws WasmPrecompileError `INVALID_OPTIONS` */
function refuse(file: string): void {
  const why = isInstalled(file)
    ? 'is in node_modules, where nothing is written. Copy it to your sources.'
    : 'is no wasm file by its name, which must end in .wasm.';
  if (isInstalled(file) || !file.endsWith('.wasm')) {
    throw new WasmPrecompileError('INVALID_OPTIONS', `${file} ${why}`);
  }
}

function print({ file, outcome }: Declaration): void {
  const path = relative(process.cwd(), file);
  if (outcome === 'foreign') {
    warn(`${path} was made by something else, and is left as it is. Remove it to have it made anew.`);
  } else {
    console.log(`${path}  ${outcome}`);
  }
}
