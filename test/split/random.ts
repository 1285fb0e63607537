/** Generates random valid modules with Binaryen's wasm-opt, and splits them at random. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { reassemble } from '../../src/runtime/shared/reassembly-plan.ts';
import { Cursor } from '../../src/wasm/binary/cursor.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { SectionId } from '../../src/wasm/binary/sections.ts';
import { splitModule } from '../../src/wasm/split/split-module.ts';
import type { WasmExport, WasmImport } from '../../src/wasm/binary/extern-types.ts';
import { randomNumbers } from '../v8/random.ts';
import { ROOT } from '../v8/support.ts';
import { withSegments } from './random-segments.ts';
import { piecesOf } from './support.ts';

export interface RandomCase {
  seed: number;
  /** Path of the original module. */
  original: string;
  /** Paths of the primary and the secondaries. */
  modules: string[];
  /** Path of the memory's contents, if the memory is separate. */
  memory?: string;
  imports: readonly WasmImport[];
  exports: readonly WasmExport[];
  /** Whether the primary has fewer data segments. */
  merged: boolean;
  /**
   * Whether the primary is stubbed. There is no native code here, so V8 calls every stubbed function in the
   * last secondary.
   */
  stubbed: boolean;
}

/** Features that no version of V8 enables by default. */
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
  // Memories would be shared, and modules could not be split.
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
    // Writing one file after another is fast enough.
    // oxlint-disable-next-line no-await-in-loop
    await writeFile(input, bytes);
    runs.push([
      input,
      '--translate-to-fuzz',
      '--all-features',
      ...DISABLED.map((feature) => `--disable-${feature}`),
      // V8 rejects modules with both kinds of exceptions.
      ...(random(4) === 0 ? ['--disable-exception-handling'] : ['--translate-to-exnref']),
      // Some have names, so that the name section is split as well.
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

/** Returns the modules that a node accepts: some modules mix proposals that exclude each other. */
async function findValid(node: string, files: readonly string[]): Promise<string[]> {
  const { stdout } = await execa(node, [
    '-e',
    'console.log(JSON.stringify(process.argv.slice(1).filter((file) => WebAssembly.validate(fs.readFileSync(file)))))',
    ...files,
  ]);
  return JSON.parse(stdout) as string[];
}

/** Splits a module at random. Returns undefined if it cannot be split. */
async function splitAtRandom(original: string, seed: number): Promise<RandomCase | undefined> {
  const random = randomNumbers(-seed - 1);
  const wire = new Uint8Array(await readFile(original));
  const { importedFunctions, functions, imports, exports } = readModule(wire);
  // None, all but some, or about half.
  const share = [0, 90, 50, 50, 50][random(5)] ?? 0;
  const hot = new Set<number>();
  for (let i = 0; i < functions; i++) if (random(100) < share) hot.add(importedFunctions + i);
  const split = splitModule(wire, hot, {
    secondaries: 1 + random(4),
    tailCalls: random(2) === 0,
    minSeparateMemory: random(2) === 0 ? 0 : undefined,
    minStubbedBodies: random(2) === 0 ? 0 : undefined,
  });
  if ('unsplitReason' in split) return undefined;
  if (Buffer.compare(reassemble(piecesOf(split), split.plan), wire) !== 0) {
    throw new Error(`seed ${seed}: reassembling the parts does not reproduce the module`);
  }
  const { full } = split;
  const ends = [split.modules.at(0), split.modules.at(-1)].filter((each) => each !== undefined);
  if (full && Buffer.compare(reassemble(ends, full.plan), full.primary) !== 0) {
    throw new Error(`seed ${seed}: reassembling the parts does not reproduce the full primary`);
  }
  const modules = await Promise.all(
    split.modules.map(async (bytes, module) => {
      const file = join(dirname(original), `${seed}.${module}.wasm`);
      await writeFile(file, bytes);
      return file;
    }),
  );
  const [segments = 0, left = 0] = [wire, ...split.modules].map(countSegments);
  const { memory } = split;
  const file = join(dirname(original), `${seed}.memory`);
  if (memory) await writeFile(file, memory);
  return {
    seed,
    original,
    modules,
    ...(memory && { memory: file }),
    imports,
    exports,
    merged: !memory && left < segments,
    stubbed: split.full !== undefined,
  };
}

function countSegments(wire: Uint8Array): number {
  const data = readModule(wire).sections.find(({ id }) => id === SectionId.Data);
  return data ? new Cursor(wire, data.offset, data.offset + data.size, 'data section').u32('a count') : 0;
}

/** The result of comparing random modules with their splits. */
export interface Comparison {
  /** How many modules were split. */
  compared: number;
  /** How many results, calls of imports and values of exports were compared. */
  steps: number;
  /** How many primaries have merged data segments. */
  merged: number;
  /** How many memories are separate. */
  separate: number;
  /** How many primaries are stubbed. */
  stubbed: number;
  /** How many secondaries were loaded. */
  loaded: number;
  differences: { seed: number; at: number; expected: string[]; found: string[] }[];
}

/** Generates a module for each seed, splits it, and compares both in a node process. */
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
