/** Native code that is intact, but cannot be used by the process that loads it. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sample, SAMPLE_RESULT } from '../v8/modules.ts';
import { fakeNode, PRECOMPILING, temporaryFolder } from '../v8/support.ts';
import { ensureNode } from '../support/nodes.ts';
import {
  alterBytes,
  build,
  forgeManifest,
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

/** Flags that change V8's flag hash in every version and are not in the list of harmless flags. */
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
      'The module is compiled at startup instead. See "Deploying" in the README.',
    );
  }

  describe('falls back to compilation', () => {
    it('if the native code is for other versions of Node', async () => {
      const others = PRECOMPILING.filter((name) => name !== version);
      const nodes = await Promise.all(others.map((name) => ensureNode(name)));
      const built = await build(path.join(folder, `others-${version}`), SAMPLE, nodes);
      await expectFallback(
        built,
        /node \S+ \(v8-\S+-linux-x64\) is not among its targets: node \S+ \(v8-\S+-linux-x64\),node \S+ \(v8-\S+-linux-x64\)/,
        {},
      );
    });

    it.each([
      ['another architecture', '-x64-', '-arm64-'],
      ['another platform', '-linux-', '-darwin-'],
      ['another build of the same V8', '-node.', '-electron.'],
      ['another patch of Node', /-node\.\d+/, '-node.1'],
    ])('if the native code is for %s', async (_, from, to) => {
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

    it.each(FLAGS)('if the native code is for a process without %s', async (flag) => {
      await expectFallback(output, new RegExp(`V8 flag ${flag} may change generated code`), {
        args: [flag],
      });
    });
  });

  it('relies on V8 to reject native code of another version with a forged engine key', async () => {
    const [name] = PRECOMPILING.filter((candidate) => candidate !== version);
    const built = await build(path.join(folder, `forged-${version}`), SAMPLE, [
      await ensureNode(name ?? '22'),
    ]);
    const manifest = forgeManifest(built.manifest, built.bytes, {
      engine: onlySegment(output).engine,
      cpu: onlySegment(output).cpu,
    });
    await expectFallback(built, /V8 does not accept it/, { manifest });
  });

  it('relies on V8 to reject bytes that are not native code', async () => {
    const { offset, size } = onlySegment(output);
    const bytes = alterBytes(output, (altered) => altered.fill(0x5a, offset, offset + size));
    const options = { artifact: writeFile(output, bytes), manifest: forgeManifest(output.manifest, bytes) };
    await expectFallback(output, /V8 does not accept it/, options);
  });

  it('uses native code for a target that is started with the same flags', async () => {
    const target = fakeNode(folder, `flags-${version}`, node, '*) exec "$node" --stack-size=900 "$@" ;;');
    const built = await build(path.join(folder, `flags-${version}-output`), SAMPLE, [target]);
    const result = await run(built, LOAD + LOAD_SYNC, { node, args: ['--stack-size=900'] });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT], warnings: [] });
    expect(result.loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled']);
  });

  it('finds the native code for the flags of the process among that for other flags', async () => {
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
      const built = await build(path.join(folder, `more-flags-${version}-output`), SAMPLE, targets);
      expect(built.manifest.native).toHaveLength(2);
      for (const args of [[], ['--stack-size=900']]) {
        const result = await run(built, LOAD, { node, args });
        expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT], warnings: [] });
        expect(result.loads.map(({ how }) => how)).toEqual(['precompiled']);
      }
    }
  });

  describe('the option `fallback`', () => {
    const args = ['--single-threaded'];

    it('warn: prints one warning for each process and reason, with a code', async () => {
      const result = await run(output, loadThrice('{}'), { node, args });
      expect(result).toMatchObject({ end: 0, printed: times(3, SAMPLE_RESULT) });
      expect(result.warnings).toHaveLength(1);
      expect(result.loads.map(({ how }) => how)).toEqual(times(3, 'compiled'));
    });

    it('warn: emits a warning event', async () => {
      const script = `process.on('warning', ({ name, code }) => print([name, code]));\n${loadThrice('{}')}`;
      const result = await run(output, script, { node, args });
      expect(result.printed.filter((line) => !Array.isArray(line) || line.length === 2)).toEqual([
        ['Warning', 'WASM_PRECOMPILE_FALLBACK'],
      ]);
    });

    it('warn: prints another warning for another reason', async () => {
      const script = `
await create().load();
const foreign = { ...manifest, buildId: '0'.repeat(40) };
fromArtifact(url, foreign, options).loadSync();
fromArtifact(url, foreign, options).loadSync();`;
      const result = await run(output, script, { node, args });
      expect(result).toMatchObject({ end: 0 });
      expect(result.warnings).toEqual([
        expect.stringContaining('V8 flag --single-threaded may change generated code'),
        expect.stringContaining('the file belongs to another build'),
      ]);
    });

    it('warn: does not repeat in a worker what was printed before it started', async () => {
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

    it('warn: prints one warning for two copies of the runtime', async () => {
      const script = `
import { cpSync } from 'node:fs';
cpSync(new URL('runtime/', import.meta.url), new URL('copy/', import.meta.url), { recursive: true });
const copy = await import('./copy/node/index.js');
print(copy.fromArtifact === fromArtifact);
await create().load();
await copy.fromArtifact(url, manifest, options).load();`;
      const result = await run(output, script, { node, args });
      expect(result).toMatchObject({ end: 0, printed: [false] });
      expect(result.loads).toHaveLength(2);
      expect(result.warnings).toHaveLength(1);
    });

    it('silent: prints nothing', async () => {
      const result = await run(output, loadThrice('{ fallback: "silent" }'), {
        node,
        args,
        env: { NODE_DEBUG: '' },
      });
      expect(result).toMatchObject({ end: 0, printed: times(3, SAMPLE_RESULT), stderr: '' });
    });

    it('error: throws an error with the reason, each time', async () => {
      const result = await run(output, loadThrice('{ fallback: "error" }'), { node, args });
      expect(result).toMatchObject({ end: 0, warnings: [], loads: [] });
      expect(result.printed).toEqual(
        times(3, {
          name: 'Error',
          code: 'WASM_PRECOMPILE_FALLBACK',
          message: expect.stringMatching(
            /sample\.elf: precompiled code is not used: V8 flag --single-threaded may change generated code/,
          ),
        }),
      );
    });

    it('error: throws nothing if native code is used', async () => {
      const result = await run(output, loadThrice('{ fallback: "error" }'), { node });
      expect(result).toMatchObject({ end: 0, printed: times(3, SAMPLE_RESULT), warnings: [] });
    });
  });
});
