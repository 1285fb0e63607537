/**
 * Native code in processes other than those it was made for. V8's own flags simulate other machines: with
 * `--no-enable-avx2`, V8 detects a CPU without AVX2 and writes that into its headers.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { featuresOf } from '../../src/v8/cpu.ts';
import { sample, SAMPLE_RESULT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { createProgram, type Program, runProgram } from './program.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, sample());

/** Harmless flags, each with a value that is not its default. */
const HARMLESS = [
  '--expose-gc',
  '--expose_gc',
  '--max-old-space-size=300',
  '--max-semi-space-size=8',
  '--min-semi-space-size=2',
  '--semi-space-growth-factor=3',
  '--initial-old-space-size=20',
  '--initial-heap-size=20',
  '--max-heap-size=400',
  '--stack-size=900',
  '--stack_size=900',
  '--stack-trace-limit=50',
  '--disallow-code-generation-from-strings',
  '--abort-on-uncaught-exception',
  '--trace-gc',
  '--inspect=127.0.0.1:0',
];

describe.each(NODE_VERSIONS)('in Node %s', (version) => {
  let node: string;
  let program: Program;
  beforeAll(async () => {
    node = await ensureNode(version);
    program = await createProgram(path.join(folder, version), SAMPLE, [node]);
  });

  it('knows the defaults of harmless flags of this V8', () => {
    const options = execFileSync(node, ['--v8-options'], { encoding: 'utf8' });
    for (const normal of [
      '--no-expose-gc',
      '--max-old-space-size=0',
      '--max-semi-space-size=0',
      '--min-semi-space-size=0',
      '--semi-space-growth-factor=2',
      '--initial-old-space-size=0',
      '--initial-heap-size=0',
      '--max-heap-size=0',
      '--stack-size=984',
      '--stack-trace-limit=10',
      '--no-disallow-code-generation-from-strings',
      '--no-abort-on-uncaught-exception',
      '--no-trace-gc',
    ]) {
      expect(options).toMatch(new RegExp(`default: ${normal}$`, 'm'));
    }
  });

  it.each(HARMLESS)('precompiles with %s', async (flag) => {
    const result = await runProgram(program, { node, args: [flag] });
    expect(result.reasons).toEqual([]);
    expect(result).toMatchObject({ end: 0, results: [SAMPLE_RESULT, SAMPLE_RESULT] });
  });

  it('precompiles with several harmless flags, also in NODE_OPTIONS and in workers', async () => {
    const run = {
      node,
      args: ['--expose-gc', '--stack-size=900'],
      env: { NODE_OPTIONS: '--max-old-space-size=300 --stack-trace-limit=7' },
    };
    for (const worker of [undefined, '{}', '{ execArgv: [], env: {} }']) {
      const result = await runProgram(program, { ...run, worker });
      expect(result.reasons).toEqual([]);
      expect(result).toMatchObject({ end: 0, results: [SAMPLE_RESULT, SAMPLE_RESULT] });
    }
  });

  it('restores the values of flags', async () => {
    const script = `
const { Script } = await import('node:vm');
const hash = () => new Script('0').createCachedData().readUInt32LE(12);
const before = hash();
create().loadSync();
if (hash() !== before || Error.stackTraceLimit !== 7) throw new Error('other flags');`;
    const args = ['--expose-gc', '--stack-size=900', '--stack-trace-limit=7'];
    expect(await runProgram(program, { node, args, script })).toMatchObject({ end: 0, reasons: [] });
  });

  it.each([
    ['--single-threaded', 'V8 flag --single-threaded may change generated code'],
    ['--no-liftoff', 'V8 flag --no-liftoff may change generated code'],
    ['--wasm-tiering-budget=5', 'V8 flag --wasm-tiering-budget=5 may change generated code'],
    ['--interpreted-frames-native-stack', 'V8 flag --interpreted-frames-native-stack may change'],
  ])('compiles with %s, alone or with other flags', async (flag, reason) => {
    for (const args of [[flag], ['--expose-gc', flag, '--inspect=127.0.0.1:0']]) {
      const result = await runProgram(program, { node, args });
      expect(result.reasons).toEqual([expect.stringContaining(reason), expect.stringContaining(reason)]);
      expect(result.end).toBe(0);
    }
  });

  it.each([[[]], [['--expose-gc']]])(
    'compiles if the command line does not explain the flags, beside %j',
    async (args) => {
      const script = `
const { setFlagsFromString } = await import('node:v8');
setFlagsFromString('--wasm-tiering-budget=5');
create().loadSync();`;
      const result = await runProgram(program, { node, args, script });
      expect(result).toMatchObject({
        end: 0,
        reasons: [expect.stringContaining('V8 runs with other flags than the command line says')],
      });
    },
  );

  it.runIf(process.arch === 'x64')(
    'precompiles on a CPU with every feature that the code may use',
    async () => {
      // A CPU with the features of x86-64-v3 and possibly more.
      const above = featuresOf(program.v8, 'x64').includes('AVX_VNNI') ? ['--no-enable-avx-vnni'] : [];
      for (const args of [[], above]) {
        expect(await runProgram(program, { node, args })).toMatchObject({ end: 0, reasons: [] });
      }
    },
  );

  it.runIf(process.arch === 'x64').each(['avx2', 'bmi1', 'bmi2', 'lzcnt', 'fma3', 'popcnt'])(
    'compiles on a CPU without %s',
    async (name) => {
      const result = await runProgram(program, { node, args: [`--no-enable-${name}`] });
      const reason = `it was made for x86-64-v3, this CPU lacks ${name.toUpperCase()}`;
      expect(result).toMatchObject({ end: 0, results: [SAMPLE_RESULT, SAMPLE_RESULT] });
      expect(result.reasons).toEqual([reason, reason]);
    },
  );

  it.runIf(process.arch === 'x64')(
    'precompiles for x86-64-v2 on a CPU that lacks features of x86-64-v3 and host',
    async () => {
      const args = [
        '--no-enable-avx',
        '--no-enable-fma3',
        '--no-enable-bmi1',
        '--no-enable-bmi2',
        '--no-enable-lzcnt',
      ];
      const older = await createProgram(path.join(folder, `v2-${version}`), SAMPLE, [node], {
        cpu: 'x86-64-v2',
      });
      expect(await runProgram(older, { node, args })).toMatchObject({
        end: 0,
        reasons: [],
        results: [SAMPLE_RESULT, SAMPLE_RESULT],
      });
      expect(await runProgram(older, { node })).toMatchObject({ end: 0, reasons: [] });
      const host = await createProgram(path.join(folder, `host-${version}`), SAMPLE, [node], { cpu: 'host' });
      expect(await runProgram(host, { node })).toMatchObject({ end: 0, reasons: [] });
      expect((await runProgram(host, { node, args })).reasons[0]).toMatch(
        /it was made for the CPU of the machine that built it, this CPU lacks AVX, AVX2, /,
      );
      expect((await runProgram(older, { node, args: ['--no-enable-popcnt'] })).reasons[0]).toBe(
        'it was made for x86-64-v2, this CPU lacks POPCNT',
      );
    },
  );

  it('lets V8 determine the features if the CPU differs from that of the build machine', async () => {
    // Native code of another machine, which V8 does not accept.
    const [segment] = program.manifest.native;
    if (!segment) throw new Error('no native code');
    const trial = Buffer.from(segment.cpu.trial, 'base64');
    trial.writeUInt32LE(1, 8);
    const manifest = {
      ...program.manifest,
      native: [{ ...segment, cpu: { ...segment.cpu, trial: trial.toString('base64') } }],
    };
    const result = await runProgram(program, { node, manifest });
    expect(result).toMatchObject({ end: 0, reasons: [], results: [SAMPLE_RESULT, SAMPLE_RESULT] });
    const lacking = { ...segment.cpu, trial: '', needs: 0x8000_0000, features: '' };
    const incompatible = await runProgram(program, {
      node,
      manifest: { ...manifest, native: [{ ...segment, cpu: lacking }] },
    });
    expect(incompatible.end).toBe(0);
    expect(incompatible.reasons).toHaveLength(2);
  });
});
