/** Builds of split modules with a stubbed primary: it lacks the bodies of functions that have native code. */
import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { createProfile } from '../../src/profile/create.ts';
import { writeProfiles } from '../../src/profile/profile-files.ts';
import { build, type BuildResult, onlyArtifact } from '../support/bundlers.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { createProject, type Run, run, runWell, wasmPrecompile } from '../support/project.ts';
import { wat } from '../support/wat.ts';

/** A step of a computation that no compiler shortens, and enough of them for a stubbed primary. */
const STEP = 'local.get $x i32.const 5 i32.rotl local.get $x i32.const 1013 i32.mul i32.xor local.set $x\n';
const STEPS = 8000;

/** A module with a hot function that contains `seed` and calls another function, and with a cold one. */
const moduleOf = (seed: number) =>
  wat(`(module
    (func $hot (export "hot") (param $x i32) (result i32) i32.const ${seed} local.set $x ${STEP.repeat(STEPS)} local.get $x call $second)
    (func $second (param $x i32) (result i32) ${STEP.repeat(20)} local.get $x)
    (func $cold (export "cold") (param $x i32) (result i32) ${'nop '.repeat(2000)} local.get $x call $hot))`);

const compute = (seed: number) => {
  let x = seed;
  for (let step = 0; step < STEPS + 20; step++) x = ((x << 5) | (x >>> 27)) ^ Math.imul(x, 1013);
  return x;
};

const ONE = moduleOf(1);
const TWO = moduleOf(2);
const [FIRST, SECOND] = [compute(1), compute(2)];

/** The secondary with the bodies of functions that have native code. */
const BODIES = 2;
const LOADED = /loading secondary module (\d) \(call to function (\d)/g;

const MAIN = `
  import init from './one.wasm?init';
  const { exports } = await init();
  console.log(JSON.stringify([exports.hot(0), exports.cold(0)]));`;

/**
 * Attaches a debugger between the first two calls: V8 drops native code and recompiles functions at their next
 * calls.
 */
const DEBUGGED = `
  import { Session } from 'node:inspector';
  import init from './one.wasm?init';
  const { exports } = await init();
  const attempt = () => { try { return exports.hot(0); } catch ({ message }) { return message; } };
  const results = [attempt()];
  const session = new Session();
  session.connect();
  session.post('Debugger.enable');
  results.push(attempt());
  session.disconnect();
  console.log(JSON.stringify([...results, attempt()]));`;

async function buildStubbed(main: string, plugin = {}): Promise<BuildResult> {
  const project = await createProject({ 'one.wasm': ONE, 'two.wasm': TWO, 'main.js': main });
  const hot = [0, 1].map((index) => ({ index, optimised: false }));
  await writeProfiles(project.path('profiles'), [
    createProfile('one', ONE, hot),
    createProfile('two', TWO, hot),
  ]);
  return build('rollup', project, {
    plugin: { profile: project.path('profiles'), split: { minSaving: 0 }, fallback: 'silent', ...plugin },
  });
}

const mainOf = ({ dir }: BuildResult) => join(dir, 'main.js');
const howOf = ({ loads }: Run) => loads.map(({ how }) => how);
const loadedSecondaries = ({ stderr }: Run) =>
  [...stderr.matchAll(LOADED)].map(([, secondary]) => Number(secondary));

/** Changes a byte of an artifact. */
async function damage(built: BuildResult, at: (artifact: ReturnType<typeof unpackArtifact>) => number) {
  const file = onlyArtifact(built);
  const bytes = await readFile(file);
  const offset = at(unpackArtifact(bytes));
  bytes[offset] = (bytes[offset] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

const bodiesOf = ({ manifest }: ReturnType<typeof unpackArtifact>) =>
  manifest.split?.secondaries[BODIES - 1]?.wire.offset ?? 0;
const nativeOf = ({ manifest }: ReturnType<typeof unpackArtifact>) => manifest.native[0]?.offset ?? 0;

/** Offset in bytes of V8's version in the header of native code. */
const VERSION_OFFSET = 4;

const nodes = await Promise.all(NODE_VERSIONS.map((version) => ensureNode(version)));

describe.each(nodes.map((node, i) => ({ node, version: NODE_VERSIONS[i] })))(
  'in Node $version',
  ({ node }) => {
    test('a startup reads no bodies of functions that have native code', async () => {
      const built = await buildStubbed(MAIN, { targets: [node] });
      const { split, wire } = unpackArtifact(await readFile(onlyArtifact(built)));
      expect(Buffer.compare(wire, ONE)).toBe(0);
      expect(split?.primary.length).toBeLessThan(1000);
      expect(split?.secondaries[BODIES - 1]?.wire.length).toBeGreaterThan(64 * 1024);
      const ended = await runWell(mainOf(built), { node });
      expect(ended.result).toEqual([FIRST, FIRST]);
      expect(howOf(ended)).toEqual(['precompiled', 'precompiled']);
      // The secondary of the cold function.
      expect(loadedSecondaries(ended)).toEqual([1]);
      expect(await wasmPrecompile('inspect', onlyArtifact(built))).toMatch(
        /native code of the primary contains the functions of secondary 2\.\n  That secondary is loaded only if V8 does not use the native code/,
      );
    });

    test('the bodies are loaded if V8 drops native code for a debugger', async () => {
      const built = await buildStubbed(DEBUGGED, { targets: [node] });
      const ended = await runWell(mainOf(built), { node });
      expect(ended.result).toEqual([FIRST, FIRST, FIRST]);
      expect(loadedSecondaries(ended)).toEqual([BODIES]);
      // Without the bodies the calls fail.
      await damage(built, bodiesOf);
      const failed = await runWell(mainOf(built), { node });
      const message = expect.stringMatching(/\.elf: its wasm module is damaged or missing/);
      expect(failed.result).toEqual([FIRST, message, message]);
    });

    test.each([
      ['under other flags', ['--no-liftoff']],
      ['without a trap handler', ['--disable-wasm-trap-handler']],
    ])('the full primary is compiled %s', async (_, nodeArgs) => {
      const built = await buildStubbed(MAIN, { targets: [node] });
      const ended = await runWell(mainOf(built), { node, nodeArgs });
      expect(ended.result).toEqual([FIRST, FIRST]);
      expect(howOf(ended)[0]).toBe('compiled');
      expect(loadedSecondaries(ended)).toEqual([1]);
    });

    test('the full primary is compiled if V8 rejects native code', async () => {
      const built = await buildStubbed(MAIN, { targets: [node], verify: false });
      await damage(built, (artifact) => nativeOf(artifact) + VERSION_OFFSET);
      const ended = await runWell(mainOf(built), { node });
      expect(ended.result).toEqual([FIRST, FIRST]);
      expect(howOf(ended)[0]).toBe('compiled');
      expect(loadedSecondaries(ended)).toEqual([1]);
    });

    test('an artifact with damaged bodies works as long as native code is used', async () => {
      const built = await buildStubbed(MAIN, { targets: [node] });
      await damage(built, bodiesOf);
      expect((await runWell(mainOf(built), { node })).result).toEqual([FIRST, FIRST]);
      const { exitCode, stderr } = await run(mainOf(built), { node, nodeArgs: ['--no-liftoff'] });
      expect([exitCode, stderr]).toEqual([
        1,
        expect.stringMatching(/\.elf: .* is damaged or missing\. Deploy/),
      ]);
    });

    test('two modules that differ only in such bodies are distinct in one process', async () => {
      const built = await buildStubbed(
        `import one from './one.wasm?init';
      import two from './two.wasm?init';
      const [{ exports }, other] = [await one(), await two()];
      console.log(JSON.stringify([exports.hot(0), other.exports.hot(0)]));`,
        { targets: [node] },
      );
      const ended = await runWell(mainOf(built), { node });
      expect(ended.result).toEqual([FIRST, SECOND]);
      expect(howOf(ended)).toEqual(['precompiled', 'precompiled']);
    });
  },
);

/** A preload script that makes a node reject native code for a small module when the build checks it. */
const REFUSING = `
  const fs = require('node:fs');
  if (process.argv[2] === 'check') {
    const input = fs.readFileSync(0);
    const { wireSize } = JSON.parse(input.toString('utf8', 4, 4 + input.readUInt32LE(0)));
    const answer = Buffer.from(JSON.stringify({ accepted: false }));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(answer.length);
    if (wireSize < 1000) {
      fs.writeSync(1, Buffer.concat([size, answer]));
      process.exit();
    }
    const { readFileSync } = fs;
    fs.readFileSync = (file, ...rest) => (file === 0 ? input : readFileSync(file, ...rest));
    require('node:module').syncBuiltinESMExports();
  }`;

test('the primary is not stubbed if a target rejects it with native code', async () => {
  const node = await ensureNode('26');
  // No other test has this module: the cache stores the answers of targets.
  const wasm = moduleOf(3);
  const project = await createProject({ 'one.wasm': wasm, 'main.js': MAIN, 'refusing.cjs': REFUSING });
  const wrapper = project.path('node.sh');
  const command = `#!/bin/sh\nexec '${node}' --require '${project.path('refusing.cjs')}' "$@"\n`;
  await writeFile(wrapper, command, { mode: 0o755 });
  const hot = [0, 1].map((index) => ({ index, optimised: false }));
  await writeProfiles(project.path('profiles'), [createProfile('one', wasm, hot)]);
  const plugin = { profile: project.path('profiles'), split: { minSaving: 0 }, targets: [wrapper] };
  const built = await build('rollup', project, { plugin });
  const { split } = unpackArtifact(await readFile(onlyArtifact(built)));
  expect(split?.full).toBeUndefined();
  expect(split?.secondaries).toHaveLength(1);
  expect(split?.primary.length).toBeGreaterThan(64 * 1024);
  const ended = await runWell(mainOf(built), { node });
  expect(ended.result).toEqual([compute(3), compute(3)]);
  expect(howOf(ended)).toEqual(['precompiled', 'precompiled']);
});

describe('an artifact', () => {
  test('that is truncated after the wire bytes is compiled', async () => {
    const built = await buildStubbed(MAIN, { targets: nodes });
    const file = onlyArtifact(built);
    const { native } = unpackArtifact(await readFile(file)).manifest;
    await truncate(file, native[0]?.offset);
    const ended = await runWell(mainOf(built));
    expect([ended.result, howOf(ended)]).toEqual([
      [FIRST, FIRST],
      ['compiled', 'compiled'],
    ]);
    expect(ended.loads[0]?.detail).toMatch(/the file belongs to another build|the file has \d+ bytes/);
  });

  test('of the same module for other targets is compiled', async () => {
    const [built, other] = [
      await buildStubbed(MAIN, { targets: nodes.slice(0, 2) }),
      await buildStubbed(MAIN, { targets: nodes.slice(1, 4) }),
    ];
    await copyFile(onlyArtifact(other), onlyArtifact(built));
    const ended = await runWell(mainOf(built));
    expect([ended.result, ended.loads[0]?.detail]).toEqual([
      [FIRST, FIRST],
      'the file belongs to another build',
    ]);
  });
});

describe('on-device compilation', () => {
  const folders: string[] = [];
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

  test('makes native code for the full primary', { timeout: 60_000 }, async () => {
    const [node] = nodes;
    const folder = await mkdtemp(join(tmpdir(), 'wasm-recompile-'));
    folders.push(folder);
    const built = await buildStubbed(`${MAIN}\nawait new Promise((resolve) => setTimeout(resolve, 500));`, {
      targets: [nodes.at(1)],
      recompile: { delay: 0, folder },
    });
    const first = await runWell(mainOf(built), node === undefined ? {} : { node });
    expect([first.result, howOf(first)[0]]).toEqual([[FIRST, FIRST], 'compiled']);
    // For the primary and the secondary of the cold function.
    const isRecompiled = async () =>
      (await readdir(folder)).filter((name) => name.endsWith('.native')).length === 2;
    // Another process compiles.
    // oxlint-disable-next-line no-await-in-loop
    for (let i = 0; i < 300 && !(await isRecompiled()); i++) await sleep(100);
    const second = await runWell(mainOf(built), node === undefined ? {} : { node });
    expect(second.result).toEqual([FIRST, FIRST]);
    expect(second.loads[0]).toMatchObject({
      how: 'precompiled',
      detail: expect.stringMatching(/^recompiled v8-/),
    });
    expect(loadedSecondaries(second)).toEqual([1]);
  });
});
