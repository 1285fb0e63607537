/** Random valid modules (by wasm-opt of binaryen), split at random. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { reassemble } from '../../src/runtime/shared/reassembly-plan.ts';
import { Cursor } from '../../src/wasm/binary/cursor.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { SectionId } from '../../src/wasm/binary/sections.ts';
import { splitModule } from '../../src/wasm/split/split.ts';
import type { WasmExport, WasmImport } from '../../src/wasm/binary/types.ts';
import { randomNumbers } from '../v8/random.ts';
import { ROOT } from '../v8/support.ts';
import { withSegments } from './segments.ts';
import { piecesOf } from './support.ts';

export interface RandomCase {
  seed: number;
  /** Paths. */
  whole: string;
  parts: string[];
  /** Where it is apart. */
  memory?: string;
  imports: readonly WasmImport[];
  exports: readonly WasmExport[];
  /** Whether the primary has fewer data segments. */
  merged: boolean;
  /** Whether the primary has no bodies of hot functions. Nothing here has native code: all of them are called in their secondary. */
  lean: boolean;
}

/** What no V8 has by default. */
const DISABLED = [
  'shared-everything',
  'custom-descriptors',
  'stack-switching',
  'fp16',
  'strings',
  'compact-imports',
  'multibyte',
  'acquire-release-atomics',
  'relaxed-atomics',
  'wide-arithmetic',
  'custom-page-sizes',
  // Memories would be shared, and modules stay whole.
  'threads',
];

/** The modules of a seed: the second one may not be valid. */
interface Generated {
  plain: string;
  withSegments: string;
}

/** Makes random modules of each seed. @returns by seed */
async function generate(folder: string, seeds: readonly number[]): Promise<Map<number, Generated>> {
  const files = new Map<number, Generated>();
  const runs: string[][] = [];
  for (const seed of seeds) {
    const random = randomNumbers(seed);
    const input = join(folder, `${seed}.bin`);
    const output = join(folder, `${seed}.wasm`);
    const bytes = Uint8Array.from({ length: 1000 + random(9000) }, () => random(256));
    // One after another is fast enough.
    // oxlint-disable-next-line no-await-in-loop
    await writeFile(input, bytes);
    runs.push([
      input,
      '--translate-to-fuzz',
      '--all-features',
      ...DISABLED.map((feature) => `--disable-${feature}`),
      // V8 refuses modules with both kinds of exceptions.
      ...(random(4) === 0 ? ['--disable-exception-handling'] : ['--translate-to-exnref']),
      // Some have names, to be split as well.
      ...(random(2) === 0 ? ['--debuginfo'] : []),
      '--output',
      output,
    ]);
    files.set(seed, { plain: output, withSegments: join(folder, `${seed}.segments.wasm`) });
  }
  const runsFile = join(folder, `${seeds[0]}.runs.json`);
  await writeFile(runsFile, JSON.stringify(runs));
  const command = join(ROOT, 'node_modules/binaryen/bin/wasm-opt');
  await execa('node', [join(ROOT, 'test/split/generate.js'), command, runsFile]);
  await Promise.all(
    [...files].map(async ([seed, { plain, withSegments: file }]) =>
      writeFile(file, withSegments(await readFile(plain), randomNumbers(-seed - 2 ** 20))),
    ),
  );
  return files;
}

/** Which of some modules a node takes: some mix proposals that exclude each other. */
async function findValid(node: string, files: readonly string[]): Promise<string[]> {
  const { stdout } = await execa(node, [
    '-e',
    'console.log(JSON.stringify(process.argv.slice(1).filter((file) => WebAssembly.validate(fs.readFileSync(file)))))',
    ...files,
  ]);
  return JSON.parse(stdout) as string[];
}

/** Splits a module at random; undefined where there is nothing to split. */
async function splitAtRandom(whole: string, seed: number): Promise<RandomCase | undefined> {
  const random = randomNumbers(-seed - 1);
  const wire = new Uint8Array(await readFile(whole));
  const { importedFunctions, functions, imports, exports } = readModule(wire);
  // None, all but some, or about half.
  const share = [0, 90, 50, 50, 50][random(5)] ?? 0;
  const hot = new Set<number>();
  for (let i = 0; i < functions; i++) if (random(100) < share) hot.add(importedFunctions + i);
  const split = splitModule(wire, hot, {
    secondaries: 1 + random(4),
    tailCalls: random(2) === 0,
    leastMemory: random(2) === 0 ? 0 : undefined,
    leastBodies: random(2) === 0 ? 0 : undefined,
  });
  if ('whole' in split) return undefined;
  if (Buffer.compare(reassemble(piecesOf(split), split.recipe), wire) !== 0) {
    throw new Error(`seed ${seed}: the parts do not give the whole`);
  }
  const { full } = split;
  const ends = [split.parts.at(0), split.parts.at(-1)].filter((each) => each !== undefined);
  if (full && Buffer.compare(reassemble(ends, full.plan), full.primary) !== 0) {
    throw new Error(`seed ${seed}: the parts do not give the full primary`);
  }
  const parts = await Promise.all(
    split.parts.map(async (bytes, part) => {
      const file = join(dirname(whole), `${seed}.${part}.wasm`);
      await writeFile(file, bytes);
      return file;
    }),
  );
  const [segments = 0, left = 0] = [wire, ...split.parts].map(countSegments);
  const { memory } = split;
  const file = join(dirname(whole), `${seed}.memory`);
  if (memory) await writeFile(file, memory);
  return {
    seed,
    whole,
    parts,
    ...(memory && { memory: file }),
    imports,
    exports,
    merged: !memory && left < segments,
    lean: split.full !== undefined,
  };
}

function countSegments(wire: Uint8Array): number {
  const data = readModule(wire).sections.find(({ id }) => id === SectionId.Data);
  return data ? new Cursor(wire, data.offset, data.offset + data.size, 'data section').u32('a count') : 0;
}

/** What became of some random modules. */
export interface Comparison {
  /** Modules that were split. */
  compared: number;
  /** Results, calls of imports and values of exports that were equal. */
  steps: number;
  /** Modules whose primaries have fewer data segments. */
  merged: number;
  /** Modules whose memories are apart. */
  apart: number;
  /** Modules whose primaries are lean. */
  lean: number;
  /** Parts that came in. */
  brought: number;
  differences: { seed: number; at: number; expected: string[]; found: string[] }[];
}

/** Makes a module of each seed, splits it, and has a node compare what both do. */
export async function compareRandom(
  node: string,
  folder: string,
  seeds: readonly number[],
): Promise<Comparison> {
  const generated = await generate(folder, seeds);
  const valid = new Set(
    await findValid(
      node,
      [...generated.values()].flatMap((files) => [files.plain, files.withSegments]),
    ),
  );
  const cases = await Promise.all(
    [...generated].map(async ([seed, files]) => {
      const file = [files.withSegments, files.plain].find((each) => valid.has(each));
      return file === undefined ? undefined : splitAtRandom(file, seed);
    }),
  );
  const casesFile = join(folder, `${seeds[0]}.json`);
  await writeFile(casesFile, JSON.stringify(cases.filter((each) => each !== undefined)));
  const { stdout } = await execa(node, [join(ROOT, 'test/split/compare.js'), casesFile]);
  return JSON.parse(stdout) as Comparison;
}
