/**
 * Native code relies on V8's trap handler, and V8 does not check that it is on. However it was switched off, the
 * runtime must compile the module: otherwise the process would crash at the first access out of bounds.
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

/** Does what the runtime does, but without its check. */
const LOAD_UNGUARDED = `
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { deserialize } from './runtime/node/natives.js';
const bytes = readFileSync(fileURLToPath(url));
const slice = ({ offset, size }) => bytes.subarray(offset, offset + size);
const [code, wire] = [manifest.native[0], manifest.wire].map((segment) => new Uint8Array(slice(segment)).buffer);
const { rejection, module } = deserialize(code, wire, { hash: Number("0x" + manifest.native[0].engine.slice(-8)) });
print(rejection ?? 'accepted');
print(use(module));
`;

const inWorker = (script: string, options: string) => `
import { Worker, isMainThread } from 'node:worker_threads';
if (isMainThread) {
  new Worker(new URL(import.meta.url), ${options}).on('error', (error) => { throw error; });
} else {
  ${script}
}`;

/** Uses the module, or prints the error. */
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

  it.each(WAYS)('compiles if the trap handler is off %s', async (_, options) => {
    const result = await start(LOAD + LOAD_SYNC, options);
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual(
      times(2, ['compiled', expect.stringContaining('the trap handler is off')]),
    );
    expect(result.warnings).toEqual([
      expect.stringMatching(
        /sample\.elf: precompiled code is not used: the trap handler is off.*See "Deploying"/,
      ),
    ]);
  });

  it.each(WAYS)('would crash the process without the check: off %s', async (_, options) => {
    const guarded = await start(LOAD_UNGUARDED);
    expect(guarded).toMatchObject({ end: 0, printed: ['accepted', SAMPLE_RESULT] });
    const result = await start(LOAD_UNGUARDED, options);
    expect(result).toMatchObject({ end: 'SIGSEGV', printed: ['accepted'] });
  });

  it.each(WAYS)('compiles in workers with other flags and variables if it is off %s', async (_, options) => {
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

  it('would crash the process of a worker without the check', async () => {
    const script = LOAD_UNGUARDED.replaceAll(/^import (.*) from (.*);$/gm, 'const $1 = await import($2);');
    const result = await start(inWorker(script, '{ execArgv: [], env: {} }'), { args: [OFF] });
    expect(result.end).toBe('SIGSEGV');
  });

  it('compiles if options from a file switch it off', async () => {
    const file = path.join(output.folder, 'options.env');
    writeFileSync(file, `NODE_OPTIONS=${OFF}\n`);
    const result = await start(LOAD + LOAD_SYNC, { args: [`--env-file=${file}`] });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    expect(result.loads.map(({ how }) => how)).toEqual(['compiled', 'compiled']);
  });

  it.each([2_000_000, 8_000_000, 20_000_000])(
    'behaves like compilation without the plugin under a limit of %i KiB of address space',
    async (limit) => {
      const other = await build(path.join(folder, `small-${version}`), SMALLEST, [node]);
      const script = `
for (const load of ['load', 'loadSync']) {
  const { exports } = new WebAssembly.Instance(await create()[load]());
  print(exports.run());
}`;
      const result = await run(other, script, { node, limit: `ulimit -v ${limit}` });
      expect(result).toMatchObject({ end: 0, printed: [7, 7] });

      // If the module has a memory, the outcome equals that of compilation without the plugin, even if that is an
      // error.
      const baseline = await start(
        `import { readFileSync } from 'node:fs';
${attempt(`await WebAssembly.compile(readFileSync(${JSON.stringify(SAMPLE)}))`)}`,
        { limit: `ulimit -v ${limit}` },
      );
      const ours = await start(attempt('await create().load()'), { limit: `ulimit -v ${limit}` });
      expect(baseline.end).toBe(0);
      expect(ours).toMatchObject({ end: 0, printed: baseline.printed });
    },
  );

  it('throws for an access out of bounds if the trap handler is on', async () => {
    const result = await start(LOAD);
    expect(result.printed).toEqual([SAMPLE_RESULT]);
    expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual([
      ['precompiled', onlySegment(output).engine],
    ]);
  });
});
