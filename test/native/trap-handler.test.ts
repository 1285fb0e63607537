/**
 * Without the trap handler, native code is not used, since the first access out of bounds would kill the process. The
 * native addon is available here; test/runtime/trap-handler.test.ts does the same without it.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_RESULT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { bulkySample } from './modules.ts';
import {
  createProgram,
  inWorker,
  LOAD,
  NODE_26,
  NODES,
  outcomes,
  type Program,
  type Run,
  run,
} from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, bulkySample());

let program: Program;
beforeAll(async () => {
  program = await createProgram(path.join(folder, 'program'), SAMPLE);
});

const OFF = '--disable-wasm-trap-handler';

const WAYS: { way: string; options: Partial<Run> }[] = [
  { way: 'on the command line', options: { args: [OFF] } },
  { way: 'in NODE_OPTIONS', options: { env: { NODE_OPTIONS: `--no-deprecation ${OFF}` } } },
];

/** A limit of address space with which Node 26 switches the handler off by itself. */
const LIMITED: Partial<Run> = { limit: 'ulimit -v 8000000' };

const WORKERS = [
  '{ execArgv: [], env: {} }',
  '{ execArgv: [], env: { NODE_DEBUG: "wasm-precompile" } }',
  '{ env: { ...process.env, NODE_OPTIONS: "" } }',
  '{}',
];

/** Deserializes like the runtime, but without its check. */
const UNGUARDED = `
const contents = addon.map(file, fileRanges)();
const { accepted, module } = addon.deserialize(contents, contents.segments[2], contents.segments[1]);
print(accepted);
print(use(module));`;

async function expectCompiled(node: string, script: string, options: Partial<Run>): Promise<void> {
  const result = await run(program, script, { node, ...options });
  expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
  for (const { how, detail } of result.loads) {
    expect([how, detail]).toEqual(['compiled', expect.stringContaining('the trap handler is off')]);
  }
  // A worker without NODE_DEBUG prints no debug lines.
  if (result.loads.length > 0) {
    expect(result.loads).toHaveLength(2);
    expect(result.warnings).toEqual([expect.stringMatching(/the trap handler is off.*See "Deploying"/)]);
  }
}

describe.each(NODES)('in Node $version', ({ node }) => {
  it.each(WAYS)('compiles if the handler is off $way', async ({ options }) => {
    await expectCompiled(node, LOAD, options);
  });

  it.each(WAYS)(
    'compiles in workers with other flags and variables if the handler is off $way',
    async ({ options }) => {
      for (const worker of WORKERS) await expectCompiled(node, inWorker(LOAD, worker), options);
    },
  );

  it('throws an error for an access out of bounds if the handler is on, in workers, too', async () => {
    for (const script of [LOAD, inWorker(LOAD, '{ execArgv: [], env: { NODE_DEBUG: "wasm-precompile" } }')]) {
      const result = await run(program, script, { node });
      expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT], warnings: [] });
      expect(outcomes(result)).toEqual(['precompiled mapped', 'precompiled mapped']);
    }
  });

  it('detects the state of the handler with the native addon', async () => {
    const look = `print([addon.handlesSegv(), addon.reservedBy(() => new WebAssembly.Memory({ initial: 1 })) >= 8 * 1024 ** 3]);`;
    expect((await run(program, look, { node })).printed).toEqual([[true, true]]);
    const [[handles, guarded]] = (await run(program, look, { node, args: [OFF] })).printed as [boolean[]];
    expect(handles && guarded).toBe(false);
    // An error that the callback throws is rethrown.
    const thrower = `try { addon.reservedBy(() => { throw new RangeError('no memory'); }); } catch (error) { print(String(error)); }`;
    expect((await run(program, thrower, { node })).printed).toEqual(['RangeError: no memory']);
  });
});

describe('Node 26 in little address space', () => {
  it('compiles', async () => {
    await expectCompiled(NODE_26, LOAD, LIMITED);
    for (const worker of WORKERS) await expectCompiled(NODE_26, inWorker(LOAD, worker), LIMITED);
  });

  it('computes the results of plain wasm with any limit', async () => {
    for (const limit of [4, 10, 12, 16, 20, 24, 32, 48, 64, 100]) {
      const options = { node: NODE_26, limit: `ulimit -v ${limit * 1_000_000}` };
      const plain = await run(program, 'print(use(compilePlain()));', options);
      expect(plain).toMatchObject({ end: 0, printed: [SAMPLE_RESULT] });
      const ours = await run(program, LOAD, options);
      expect(ours, ours.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    }
  });
});

describe('without the check, Node 26', () => {
  it('runs while the handler is on', async () => {
    const result = await run(program, UNGUARDED, { node: NODE_26 });
    expect(result).toMatchObject({ end: 0, printed: [true, SAMPLE_RESULT] });
  });

  it.each([...WAYS, { way: 'for lack of address space', options: LIMITED }])(
    'dies if the handler is off $way',
    async ({ options }) => {
      const result = await run(program, UNGUARDED, { node: NODE_26, ...options });
      expect(result).toMatchObject({ end: 'SIGSEGV', printed: [true] });
    },
  );

  it('dies in a worker if the handler is off', async () => {
    const result = await run(program, inWorker(UNGUARDED, '{ execArgv: [], env: {} }'), {
      node: NODE_26,
      args: [OFF],
    });
    expect(result.end).toBe('SIGSEGV');
  });
});
