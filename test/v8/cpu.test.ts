/**
 * CPU levels, compared with the bits that V8's own flags change, the instructions that a disassembler finds, and the
 * results in every Node.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { packArtifact } from '../../src/artifact/pack.ts';
import { CPU_LEVELS, featuresOf, flagsForLevel, neededFeatures, unusedFeatures } from '../../src/v8/cpu.ts';
import { runHost } from '../../src/v8/host-process.ts';
import { probeTarget } from '../../src/v8/probe.ts';
import { createProgram, runProgram } from '../runtime/program.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { wat } from '../support/wat.ts';
import { compile, onlyNative, SQL_JS, temporaryFolder } from './support.ts';

const folder = temporaryFolder();
const BITS = path.join(folder, 'bits.wasm');

/**
 * Operations for which compilers use their newest instructions. Without `i8x16.swizzle`: the baseline compiler of V8 11
 * and 12 miscompiles it without AVX, so that the baseline program computes something else.
 */
writeFileSync(
  BITS,
  wat(`(module
  (memory (export "memory") 1)
  (func (export "bits") (param $a i64) (param $b i64) (result i64)
    (i64.popcnt (local.get $a))
    (i64.clz (local.get $a)) i64.add
    (i64.ctz (local.get $b)) i64.add
    (i64.shl (local.get $a) (local.get $b)) i64.add
    (i64.shr_u (local.get $a) (local.get $b)) i64.xor
    (i64.shr_s (local.get $a) (local.get $b)) i64.xor
    (i64.rotl (local.get $a) (local.get $b)) i64.xor
    (i64.and (local.get $a) (i64.xor (local.get $b) (i64.const -1))) i64.add
    (i64.and (local.get $b) (i64.sub (local.get $b) (i64.const 1))) i64.add
    (i64.extend_i32_u (i32.popcnt (i32.wrap_i64 (local.get $a)))) i64.add
    (i64.extend_i32_u (i32.shl (i32.wrap_i64 (local.get $a)) (i32.wrap_i64 (local.get $b)))) i64.add)
  (func (export "floats") (param $a f64) (param $b f64) (result f64)
    (f64.add (f64.mul (local.get $a) (local.get $b)) (f64.nearest (f64.div (local.get $a) (local.get $b)))))
  (func (export "vectors") (param $a i32) (param $b f32) (result i32) (local $v v128) (local $f v128)
    (local.set $v (i8x16.popcnt (i32x4.splat (local.get $a))))
    (local.set $f (f32x4.add (f32x4.mul (f32x4.splat (local.get $b)) (f32x4.splat (local.get $b))) (f32x4.splat (f32.const 0.1))))
    (local.set $v (i32x4.add (local.get $v) (i32x4.trunc_sat_f32x4_s (local.get $f))))
    (local.set $v (i16x8.q15mulr_sat_s (local.get $v) (local.get $f)))
    (local.set $v (v128.bitselect (local.get $v) (local.get $f) (i32x4.shl (local.get $v) (i32.const 3))))
    (i32.add (i32x4.extract_lane 1 (local.get $v)) (i8x16.bitmask (local.get $v)))))`),
);

const USE_BITS = `
const { bits, floats, vectors } = new WebAssembly.Instance(MODULE).exports;
const a = [0n, 1n, -1n, 0x123456789abcdefn, 0x8000000000000000n, 77n];
print([
  a.flatMap((x) => a.map((y) => String(bits(x, y)))),
  [0.1, 1e10, -3.7, 1 / 3].flatMap((x) => [0.3, 7, -1e-3].map((y) => floats(x, y))),
  [0, 1, -5, 0x12345678].flatMap((x) => [0.5, 100.25, -2e4].map((y) => vectors(x, y))),
]);`;

/** Instructions of AVX and later have names in `v`; those of BMI, LZCNT and beyond are a few. */
const ABOVE: Readonly<Record<string, RegExp>> = {
  'x86-64-v2':
    /^(v[a-z]+|(andn|bextr|bls(i|r|msk)|tzcnt|lzcnt|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx|movbe)[lq]?)\s/,
  'x86-64-v3':
    /^(vpdp|vgf2p8|vpternlog|valign[dq]|kmov|vpopcnt|.*\{%k|.*%zmm|pvalidate|sha|aes|vaes|crc32w?$)/,
};

function disassemble(file: string): string[] {
  const text = execFileSync('objdump', ['-d', '--no-show-raw-insn', file], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return [...text.matchAll(/^\s*[0-9a-f]+:\t(.+)$/gm)].map(([, instruction = '']) => instruction);
}

describe.runIf(process.arch === 'x64').each(NODE_VERSIONS)('Node %s', (version) => {
  it('names the bits as V8 sets them', async () => {
    const target = await probeTarget(await ensureNode(version), 'host');
    if (!('key' in target.engine)) throw new Error('no native code');
    const { key, hostFeatures } = target.engine;
    const names = featuresOf(key.version, 'x64').split(' ');
    const flags = flagsForLevel('x86-64-v2', key.version);
    expect(flags.length).toBeGreaterThan(5);
    for (const flag of flags) {
      const { json } = await runHost({ ...target, flags: [flag] }, 'probe', new Uint8Array(), 60_000);
      const word = Buffer.from(String(json['trial']), 'base64').readUInt32LE(8);
      const bit = names.indexOf(flag.slice('--no-enable-'.length).replaceAll('-', '_').toUpperCase());
      expect(bit).toBeGreaterThanOrEqual(0);
      // The machine may lack the feature.
      expect(word & (1 << bit)).toBe(0);
      if (hostFeatures & (1 << bit)) expect(word).not.toBe(hostFeatures);
    }
  });

  it.each(['x86-64-v2', 'x86-64-v3'] as const)('has no instruction above %s', async (cpu) => {
    const node = await ensureNode(version);
    for (const wasm of [BITS, SQL_JS]) {
      const file = path.join(folder, `${version}-${cpu}.elf`);
      const { contents } = await compile(wasm, { targets: [node], cpu });
      writeFileSync(file, packArtifact(contents).bytes);
      const instructions = disassemble(file);
      expect(instructions.length).toBeGreaterThan(100);
      expect(instructions.filter((instruction) => ABOVE[cpu]?.test(instruction))).toEqual([]);
      expect(contents.native[0]?.cpu.level).toBe(cpu);
    }
  });

  it('uses the features of a level', async () => {
    const node = await ensureNode(version);
    const v2 = onlyNative(await compile(BITS, { targets: [node], cpu: 'x86-64-v2' }));
    const v3 = onlyNative(await compile(BITS, { targets: [node], cpu: 'x86-64-v3' }));
    expect(v3.cpu.level).toBe('x86-64-v3');
    expect(v3.cpu.needs & ~v2.cpu.needs).not.toBe(0);
    expect(v2.cpu.needs & ~v3.cpu.needs).toBe(0);
    expect(Buffer.from(v2.bytes).equals(v3.bytes)).toBe(false);
  });

  it('computes the same at each level, and on simulated CPUs', async () => {
    const node = await ensureNode(version);
    const plain = await createProgram(path.join(folder, `plain-${version}`), BITS, [node]);
    const compiled = `${USE_BITS.replace('MODULE', 'new WebAssembly.Module(readFileSync(new URL("module.elf", import.meta.url)).subarray(manifest.wire.offset, manifest.wire.offset + manifest.wire.size))')}`;
    const expected = (await runProgram(plain, { node, script: compiled })).results;
    expect(expected).toHaveLength(1);
    for (const cpu of ['host', 'x86-64-v2', 'x86-64-v3'] as const) {
      const program = await createProgram(path.join(folder, `${cpu}-${version}`), BITS, [node], { cpu });
      for (const [index, args] of [
        [],
        ['--no-enable-popcnt'],
        ['--no-enable-avx2'],
        ['--no-enable-fma3'],
        ['--no-enable-bmi1'],
        ['--no-enable-bmi2'],
        ['--no-enable-lzcnt'],
        ['--no-enable-avx'],
      ].entries()) {
        const script = USE_BITS.replace('MODULE', 'create().loadSync()');
        const result = await runProgram(program, { node, args, script });
        expect(result).toMatchObject({ end: 0, results: expected });
        // The code is used without flags, or if the level does not have the feature.
        const compatible = index === 0 || (cpu === 'x86-64-v2' && args[0] !== '--no-enable-popcnt');
        expect([cpu, args, result.reasons.length]).toEqual([cpu, args, compatible ? 0 : 1]);
      }
    }
  });
});

describe('levels', () => {
  it('have no flags for a V8 with unknown features, whose code needs all features of the host', () => {
    expect(CPU_LEVELS.map((level) => flagsForLevel(level, '12.9.202.28-node.14'))).toEqual([[], [], [], []]);
    expect(neededFeatures(0x1234, '')).toBe(0x1234);
  });

  it('of another architecture are rejected', async () => {
    await expect(probeTarget('host', process.arch === 'x64' ? 'armv8' : 'x86-64-v2')).rejects.toThrow(
      /Option `cpu`: CPU level \S+ is not supported by node/,
    );
  });

  it('do not count bits that do not stand for instructions', () => {
    const features = featuresOf('14.6.202', 'x64');
    expect(neededFeatures(0xffff_ffff, features) & (1 << features.split(' ').indexOf('INTEL_ATOM'))).toBe(0);
    expect(neededFeatures(0xffff_ffff, features) & (1 << features.split(' ').indexOf('AVX2'))).not.toBe(0);
  });

  it('count AVX-VNNI for modules with relaxed SIMD only', () => {
    const features = featuresOf('14.6.202', 'x64');
    const relaxed = Uint8Array.of(1, 0xfd, 0x93, 0x02, 3);
    const padded = Uint8Array.of(1, 0xfd, 0x93, 0x82, 0x00);
    const plain = Uint8Array.of(1, 0xfd, 0xff, 0x01, 3, 0xfd, 12);
    expect([relaxed, padded, plain].map((wire) => unusedFeatures(features, wire) !== 0)).toEqual([
      false,
      false,
      true,
    ]);
  });
});
