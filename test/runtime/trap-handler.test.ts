/**
 * Native code relies on V8's trap handler, and V8 does not look whether it is on. Every way to have it off must end
 * in plain compilation: the process would die at the first access out of bounds.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sample, SAMPLE_RESULT, smallest } from '../v8/modules.ts';
import { PRECOMPILING, temporaryFolder } from '../v8/support.ts';
import { ensureNode } from '../support/nodes.ts';
import { build, LOAD, LOAD_SYNC, onlySegment, type Output, type Run, run, times } from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
const SMALLEST = path.join(folder, 'smallest.wasm');
writeFileSync(SAMPLE, sample());
writeFileSync(SMALLEST, smallest());

const OFF = '--disable-wasm-trap-handler';

/** Everything that the runtime does, without its check. */
const LOAD_UNGUARDED = `
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { deserialize } from './runtime/node/natives.js';
const bytes = readFileSync(fileURLToPath(url));
const slice = ({ offset, size }) => bytes.subarray(offset, offset + size);
const [code, wire] = [map.native[0], map.wire].map((segment) => new Uint8Array(slice(segment)).buffer);
const { refused, module } = deserialize(code, wire, { hash: Number("0x" + map.native[0].engine.slice(-8)) });
print(refused ?? 'accepted');
print(use(module));
`;

const inWorker = (script: string, options: string) => `
import { Worker, isMainThread } from 'node:worker_threads';
if (isMainThread) {
  new Worker(new URL(import.meta.url), ${options}).on('error', (error) => { throw error; });
} else {
  ${script}
}`;

/** Uses the module, or prints why that cannot be. */
const attempt = (load: string) => `
try {
  print(use(${load}));
} catch (error) {
  print(error.message);
}`;

describe.each(PRECOMPILING)('in Node %s', (version) => {
  let node: string;
  let output: Output;
  beforeAll(async () => {
    node = await ensureNode(version);
    output = await build(path.join(folder, version), SAMPLE, [node]);
  });

  const start = (script: string, options: Partial<Run> = {}) => run(output, script, { node, ...options });

  const WAYS: [string, Partial<Run>][] = [
    ['on the command line', { args: [OFF] }],
    ['on the command line with underscores', { args: ['--disable_wasm_trap_handler'] }],
    ['in NODE_OPTIONS', { env: { NODE_OPTIONS: `--no-deprecation ${OFF}` } }],
  ];

  it.each(WAYS)('it is off %s', async (_, options) => {
    const result = await start(LOAD + LOAD_SYNC, options);
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual(
      times(2, ['compiled', expect.stringContaining('the trap handler is off')]),
    );
    expect(result.warnings).toEqual([
      expect.stringMatching(/sample\.elf: native code is not used: the trap handler is off.*See "Deploying"/),
    ]);
  });

  it.each(WAYS)('without the check, the process dies: off %s', async (_, options) => {
    const guarded = await start(LOAD_UNGUARDED);
    expect(guarded).toMatchObject({ end: 0, printed: ['accepted', SAMPLE_RESULT] });
    const result = await start(LOAD_UNGUARDED, options);
    expect(result).toMatchObject({ end: 'SIGSEGV', printed: ['accepted'] });
  });

  it.each(WAYS)('it is off %s, and workers have other flags and variables', async (_, options) => {
    for (const workerOptions of [
      '{ execArgv: [], env: { NODE_DEBUG: "wasm-precompile" } }',
      '{ env: { ...process.env, NODE_OPTIONS: "" } }',
      '{}',
    ]) {
      const result = await start(inWorker(LOAD + LOAD_SYNC, workerOptions), options);
      expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
      expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual(
        times(2, ['compiled', expect.stringContaining('the trap handler is off')]),
      );
    }
  });

  it('without the check, a worker takes the process with it', async () => {
    const script = LOAD_UNGUARDED.replaceAll(/^import (.*) from (.*);$/gm, 'const $1 = await import($2);');
    const result = await start(inWorker(script, '{ execArgv: [], env: {} }'), { args: [OFF] });
    expect(result.end).toBe('SIGSEGV');
  });

  it('it is off, and options from a file say so', async () => {
    const file = path.join(output.folder, 'options.env');
    writeFileSync(file, `NODE_OPTIONS=${OFF}\n`);
    const result = await start(LOAD + LOAD_SYNC, { args: [`--env-file=${file}`] });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    expect(result.loads.map(({ how }) => how)).toEqual(['compiled', 'compiled']);
  });

  it.each([2_000_000, 8_000_000, 20_000_000])(
    'a limit of %i KiB of address space changes nothing that is not so without us',
    async (limit) => {
      const other = await build(path.join(folder, `small-${version}`), SMALLEST, [node]);
      const script = `
for (const load of ['load', 'loadSync']) {
  const { exports } = new WebAssembly.Instance(await create()[load]());
  print(exports.run());
}`;
      const result = await run(other, script, { node, limit: `ulimit -v ${limit}` });
      expect(result).toMatchObject({ end: 0, printed: [7, 7] });

      // With memory, the outcome is that of plain compilation, whatever that is.
      const plain = await start(
        `import { readFileSync } from 'node:fs';
${attempt(`await WebAssembly.compile(readFileSync(${JSON.stringify(SAMPLE)}))`)}`,
        { limit: `ulimit -v ${limit}` },
      );
      const ours = await start(attempt('await create().load()'), { limit: `ulimit -v ${limit}` });
      expect(plain.end).toBe(0);
      expect(ours).toMatchObject({ end: 0, printed: plain.printed });
    },
  );

  it('it is on: an access out of bounds is an error like any other', async () => {
    const result = await start(LOAD);
    expect(result.printed).toEqual([SAMPLE_RESULT]);
    expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual([
      ['precompiled', onlySegment(output).engine],
    ]);
  });
});
