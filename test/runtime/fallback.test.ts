/** Native code that is whole, and not for the process that loads it. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sample, SAMPLE_RESULT } from '../v8/modules.ts';
import { fakeNode, PRECOMPILING, temporaryFolder } from '../v8/support.ts';
import { ensureNode } from '../support/nodes.ts';
import {
  alterBytes,
  build,
  forgeMap,
  LOAD,
  LOAD_SYNC,
  onlySegment,
  type Output,
  type Run,
  run,
  writeFile,
  times,
} from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, sample());

/** Flags that change V8's flag hash in every version, and that are not known to be harmless. */
const FLAGS = [
  '--single-threaded',
  '--allow-natives-syntax',
  '--interpreted-frames-native-stack',
  '--perf-basic-prof-only-functions',
  '--wasm-tiering-budget=1000',
];

/** Loads three times and prints each result or error. */
const loadThrice = (options: string) => `
for (const load of ['load', 'loadSync', 'load']) {
  try {
    print(use(await create(${options})[load]()));
  } catch ({ name, message, code }) {
    print({ name, message, code });
  }
}`;

describe.each(PRECOMPILING)('in Node %s', (version) => {
  let node: string;
  let output: Output;
  beforeAll(async () => {
    node = await ensureNode(version);
    output = await build(path.join(folder, version), SAMPLE, [node]);
  });

  async function expectFallback(from: Output, reason: RegExp, options: Partial<Run>) {
    const result = await run(from, LOAD + LOAD_SYNC, { node, ...options });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual(
      times(2, ['compiled', expect.stringMatching(reason)]),
    );
    expect(result.warnings).toEqual([expect.stringMatching(reason)]);
    expect(result.warnings[0]).toContain(
      'The module is compiled at start-up instead. See "Deploying" in the README.',
    );
  }

  describe('native code for', () => {
    it('other versions of Node', async () => {
      const others = PRECOMPILING.filter((name) => name !== version);
      const nodes = await Promise.all(others.map((name) => ensureNode(name)));
      const made = await build(path.join(folder, `others-${version}`), SAMPLE, nodes);
      await expectFallback(
        made,
        /node \S+ \(v8-\S+-linux-x64\) is not among its targets: node \S+ \(v8-\S+-linux-x64\),node \S+ \(v8-\S+-linux-x64\)/,
        {},
      );
    });

    it.each([
      ['another architecture', '-x64-', '-arm64-'],
      ['another platform', '-linux-', '-darwin-'],
      ['another build of the same V8', '-node.', '-electron.'],
      ['another patch of Node', /-node\.\d+/, '-node.1'],
    ])('%s', async (_, from, to) => {
      const segment = onlySegment(output);
      const engine = segment.engine.replace(from, to);
      const manifest = { ...output.manifest, native: [{ ...segment, engine }] };
      await expectFallback(
        output,
        new RegExp(`is not among its targets: node \\S+ \\(${engine.slice(0, -18)}\\)`),
        {
          manifest,
        },
      );
    });

    it.each(FLAGS)('a process without %s', async (flag) => {
      await expectFallback(output, new RegExp(`V8 flag ${flag} may change generated code`), {
        args: [flag],
      });
    });
  });

  it('V8 itself refuses native code of another version that is passed off as its own', async () => {
    const [name] = PRECOMPILING.filter((candidate) => candidate !== version);
    const made = await build(path.join(folder, `forged-${version}`), SAMPLE, [
      await ensureNode(name ?? '22'),
    ]);
    const manifest = forgeMap(made.manifest, made.bytes, {
      engine: onlySegment(output).engine,
      cpu: onlySegment(output).cpu,
    });
    await expectFallback(made, /V8 does not accept it/, { manifest });
  });

  it('V8 itself refuses what is no native code', async () => {
    const { offset, size } = onlySegment(output);
    const bytes = alterBytes(output, (altered) => altered.fill(0x5a, offset, offset + size));
    const options = { artifact: writeFile(output, bytes), manifest: forgeMap(output.manifest, bytes) };
    await expectFallback(output, /V8 does not accept it/, options);
  });

  it('flags that a target is given on its command line are flags to build for', async () => {
    const target = fakeNode(folder, `flags-${version}`, node, '*) exec "$node" --stack-size=900 "$@" ;;');
    const made = await build(path.join(folder, `flags-${version}-output`), SAMPLE, [target]);
    const result = await run(made, LOAD + LOAD_SYNC, { node, args: ['--stack-size=900'] });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT], warnings: [] });
    expect(result.loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled']);
  });

  it('the native code for the flags of the process is found among that for others', async () => {
    const target = fakeNode(
      folder,
      `more-flags-${version}`,
      node,
      '*) exec "$node" --stack-size=900 "$@" ;;',
    );
    for (const targets of [
      [node, target],
      [target, node],
    ]) {
      const made = await build(path.join(folder, `more-flags-${version}-output`), SAMPLE, targets);
      expect(made.manifest.native).toHaveLength(2);
      for (const args of [[], ['--stack-size=900']]) {
        const result = await run(made, LOAD, { node, args });
        expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT], warnings: [] });
        expect(result.loads.map(({ how }) => how)).toEqual(['precompiled']);
      }
    }
  });

  describe('the option `fallback`', () => {
    const args = ['--single-threaded'];

    it('warn: one warning for each process and reason, with a code', async () => {
      const result = await run(output, loadThrice('{}'), { node, args });
      expect(result).toMatchObject({ end: 0, printed: times(3, SAMPLE_RESULT) });
      expect(result.warnings).toHaveLength(1);
      expect(result.loads.map(({ how }) => how)).toEqual(times(3, 'compiled'));
    });

    it('warn: programs can listen to it', async () => {
      const script = `process.on('warning', ({ name, code }) => print([name, code]));\n${loadThrice('{}')}`;
      const result = await run(output, script, { node, args });
      expect(result.printed.filter((line) => !Array.isArray(line) || line.length === 2)).toEqual([
        ['Warning', 'WASM_PRECOMPILE_FALLBACK'],
      ]);
    });

    it('warn: another reason is another warning', async () => {
      const script = `
await create().load();
const foreign = { ...map, buildId: '0'.repeat(40) };
fromArtifact(url, foreign, options).loadSync();
fromArtifact(url, foreign, options).loadSync();`;
      const result = await run(output, script, { node, args });
      expect(result).toMatchObject({ end: 0 });
      expect(result.warnings).toEqual([
        expect.stringContaining('V8 flag --single-threaded may change generated code'),
        expect.stringContaining('the file belongs to another build'),
      ]);
    });

    it('warn: a worker does not repeat what was said before it started', async () => {
      const result = await run(
        output,
        `import { Worker, isMainThread } from 'node:worker_threads';
${LOAD}
if (isMainThread) new Worker(new URL(import.meta.url)).on('error', (error) => { throw error; });`,
        { node, args },
      );
      expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
      expect(result.loads.map(({ how }) => how)).toEqual(['compiled', 'compiled']);
      expect(result.warnings).toHaveLength(1);
    });

    it('warn: two copies of the runtime share what was said', async () => {
      const script = `
import { cpSync } from 'node:fs';
cpSync(new URL('runtime/', import.meta.url), new URL('copy/', import.meta.url), { recursive: true });
const copy = await import('./copy/node.js');
print(copy.fromArtifact === fromArtifact);
await create().load();
await copy.fromArtifact(url, manifest, options).load();`;
      const result = await run(output, script, { node, args });
      expect(result).toMatchObject({ end: 0, printed: [false] });
      expect(result.loads).toHaveLength(2);
      expect(result.warnings).toHaveLength(1);
    });

    it('silent: not a word', async () => {
      const result = await run(output, loadThrice('{ fallback: "silent" }'), {
        node,
        args,
        env: { NODE_DEBUG: '' },
      });
      expect(result).toMatchObject({ end: 0, printed: times(3, SAMPLE_RESULT), stderr: '' });
    });

    it('error: an error with the reason, each time', async () => {
      const result = await run(output, loadThrice('{ fallback: "error" }'), { node, args });
      expect(result).toMatchObject({ end: 0, warnings: [], loads: [] });
      expect(result.printed).toEqual(
        times(3, {
          name: 'Error',
          code: 'WASM_PRECOMPILE_FALLBACK',
          message: expect.stringMatching(
            /sample\.elf: native code is not used: V8 flag --single-threaded may change generated code/,
          ),
        }),
      );
    });

    it('error: nothing where native code is used', async () => {
      const result = await run(output, loadThrice('{ fallback: "error" }'), { node });
      expect(result).toMatchObject({ end: 0, printed: times(3, SAMPLE_RESULT), warnings: [] });
    });
  });
});
