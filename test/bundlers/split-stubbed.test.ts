/** Builds of split modules whose primary lacks the bodies that native code has. */
import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { createProfile } from '../../src/profile/create.ts';
import { writeProfiles } from '../../src/profile/files.ts';
import { build, type BuildResult, onlyArtifact } from '../support/bundlers.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { createProject, type Run, run, runWell, wasmPrecompile } from '../support/project.ts';
import { wat } from '../support/wat.ts';

/** A step of a computation that no compiler makes shorter, and enough of them for a primary to be lean. */
const STEP = 'local.get $x i32.const 5 i32.rotl local.get $x i32.const 1013 i32.mul i32.xor local.set $x\n';
const STEPS = 8000;

/** Both have a hot function, with `seed` in it and a call of another one, and a cold one. */
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

const BODIES = 2;
const CAME_IN = /part (\d) comes in: function (\d)/g;

const MAIN = `
  import init from './one.wasm?init';
  const { exports } = await init();
  console.log(JSON.stringify([exports.hot(0), exports.cold(0)]));`;

/** With a debugger between the first two calls: V8 drops native code, and compiles every function anew at its next call. */
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

async function buildLean(main: string, plugin = {}): Promise<BuildResult> {
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
const broughtBy = ({ stderr }: Run) => [...stderr.matchAll(CAME_IN)].map(([, part]) => Number(part));

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

/** Bytes: V8's version in the header of native code. */
const VERSION_OFFSET = 4;

const nodes = await Promise.all(NODE_VERSIONS.map((version) => ensureNode(version)));

describe.each(nodes.map((node, i) => ({ node, version: NODE_VERSIONS[i] })))(
  'in Node $version',
  ({ node }) => {
    test('a start has no bodies of what native code has', async () => {
      const built = await buildLean(MAIN, { targets: [node] });
      const { split, wire } = unpackArtifact(await readFile(onlyArtifact(built)));
      expect(Buffer.compare(wire, ONE)).toBe(0);
      expect(split?.primary.length).toBeLessThan(1000);
      expect(split?.secondaries[BODIES - 1]?.wire.length).toBeGreaterThan(64 * 1024);
      const ended = await runWell(mainOf(built), { node });
      expect(ended.result).toEqual([FIRST, FIRST]);
      expect(howOf(ended)).toEqual(['precompiled', 'precompiled']);
      // The cold one.
      expect(broughtBy(ended)).toEqual([1]);
      expect(await wasmPrecompile('inspect', onlyArtifact(built))).toMatch(
        /Functions of part 2 are called in native code; it is loaded where V8 does without/,
      );
    });

    test('they come in where a debugger has V8 drop it', async () => {
      const built = await buildLean(DEBUGGED, { targets: [node] });
      const ended = await runWell(mainOf(built), { node });
      expect(ended.result).toEqual([FIRST, FIRST, FIRST]);
      expect(broughtBy(ended)).toEqual([BODIES]);
      // What would be called otherwise: nothing.
      await damage(built, bodiesOf);
      const failed = await runWell(mainOf(built), { node });
      const message = expect.stringMatching(/\.elf: its wasm module is damaged or missing/);
      expect(failed.result).toEqual([FIRST, message, message]);
    });

    test.each([
      ['under other flags', ['--no-liftoff']],
      ['without a trap handler', ['--disable-wasm-trap-handler']],
    ])('all of the primary is compiled %s', async (_, nodeArgs) => {
      const built = await buildLean(MAIN, { targets: [node] });
      const ended = await runWell(mainOf(built), { node, nodeArgs });
      expect(ended.result).toEqual([FIRST, FIRST]);
      expect(howOf(ended)[0]).toBe('compiled');
      expect(broughtBy(ended)).toEqual([1]);
    });

    test('all of the primary is compiled where V8 refuses native code', async () => {
      const built = await buildLean(MAIN, { targets: [node], verify: false });
      await damage(built, (artifact) => nativeOf(artifact) + VERSION_OFFSET);
      const ended = await runWell(mainOf(built), { node });
      expect(ended.result).toEqual([FIRST, FIRST]);
      expect(howOf(ended)[0]).toBe('compiled');
      expect(broughtBy(ended)).toEqual([1]);
    });

    test('an artifact without its bodies works as long as native code does', async () => {
      const built = await buildLean(MAIN, { targets: [node] });
      await damage(built, bodiesOf);
      expect((await runWell(mainOf(built), { node })).result).toEqual([FIRST, FIRST]);
      const { exitCode, stderr } = await run(mainOf(built), { node, nodeArgs: ['--no-liftoff'] });
      expect([exitCode, stderr]).toEqual([
        1,
        expect.stringMatching(/\.elf: .* is damaged or missing\. Deploy/),
      ]);
    });

    test('two modules that differ in such bodies only are two in one process', async () => {
      const built = await buildLean(
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

/** Has a node refuse native code with a small module, as the host of the build asks it. */
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

test('where a target does not take it with native code, the primary is full', async () => {
  const node = await ensureNode('26');
  // A module that no other test has: what a target takes is remembered.
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
  test('that is cut off after the wire bytes is compiled', async () => {
    const built = await buildLean(MAIN, { targets: nodes });
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
      await buildLean(MAIN, { targets: nodes.slice(0, 2) }),
      await buildLean(MAIN, { targets: nodes.slice(1, 4) }),
    ];
    await copyFile(onlyArtifact(other), onlyArtifact(built));
    const ended = await runWell(mainOf(built));
    expect([ended.result, ended.loads[0]?.detail]).toEqual([
      [FIRST, FIRST],
      'the file belongs to another build',
    ]);
  });
});

describe('healing', () => {
  const folders: string[] = [];
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

  test('makes native code of all of the primary', { timeout: 60_000 }, async () => {
    const [node] = nodes;
    const folder = await mkdtemp(join(tmpdir(), 'wasm-heal-'));
    folders.push(folder);
    const built = await buildLean(`${MAIN}\nawait new Promise((resolve) => setTimeout(resolve, 500));`, {
      targets: [nodes.at(1)],
      recompile: { delay: 0, folder },
    });
    const first = await runWell(mainOf(built), node === undefined ? {} : { node });
    expect([first.result, howOf(first)[0]]).toEqual([[FIRST, FIRST], 'compiled']);
    // The primary, and the part of the cold function.
    const isHealed = async () =>
      (await readdir(folder)).filter((name) => name.endsWith('.native')).length === 2;
    // Another process makes it.
    // oxlint-disable-next-line no-await-in-loop
    for (let i = 0; i < 300 && !(await isHealed()); i++) await sleep(100);
    const second = await runWell(mainOf(built), node === undefined ? {} : { node });
    expect(second.result).toEqual([FIRST, FIRST]);
    expect(second.loads[0]).toMatchObject({
      how: 'precompiled',
      detail: expect.stringMatching(/^healed v8-/),
    });
    expect(broughtBy(second)).toEqual([1]);
  });
});
