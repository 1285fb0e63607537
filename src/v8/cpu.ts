/**
 * CPU levels, in V8's terms. V8 writes the features that it found into the header of native code (a word with one bit
 * for each), and accepts native code only where its own word is equal. Code for a level is made by a V8 that was told
 * not to use more (`--no-enable-avx2` …), and runs wherever every feature is there that it may use.
 *
 * The order of the bits is that of `enum CpuFeature` in V8's src/codegen/cpu-features.h, which differs by version; a
 * test compares it with what each V8 itself makes of its flags. A V8 that is not listed gives code for the host's own
 * features only.
 */

/** The values of the option `cpu`: psABI levels, and what the machine has that compiles. */
export const CPU_LEVELS = ['host', 'x86-64-v2', 'x86-64-v3', 'armv8'] as const;

export type CpuLevel = (typeof CPU_LEVELS)[number];

/** For x86-64, by the first two numbers of V8's version. */
const FEATURES: ReadonlyMap<string, string> = new Map([
  ['11.3', 'SSE4_2 SSE4_1 SSSE3 SSE3 SAHF AVX AVX2 FMA3 BMI1 BMI2 LZCNT POPCNT INTEL_ATOM CETSS'],
  [
    '12.4',
    'SSE4_2 SSE4_1 SSSE3 SSE3 SAHF AVX AVX2 FMA3 BMI1 BMI2 LZCNT POPCNT INTEL_ATOM INTEL_JCC_ERRATUM CETSS',
  ],
  [
    '13.6',
    'SSE4_2 SSE4_1 SSSE3 SSE3 SAHF AVX AVX2 AVX_VNNI AVX_VNNI_INT8 FMA3 BMI1 BMI2 LZCNT POPCNT INTEL_ATOM INTEL_JCC_ERRATUM CETSS F16C',
  ],
  [
    '14.6',
    'SSE4_2 SSE4_1 SSSE3 SSE3 SAHF AVX AVX2 AVX_VNNI AVX_VNNI_INT8 FMA3 BMI1 BMI2 LZCNT POPCNT INTEL_ATOM INTEL_JCC_ERRATUM CETSS F16C',
  ],
]);

/**
 * Bits that say nothing about instructions used: which code is faster (Atom), where jumps may be (an erratum), and
 * whether the operating system keeps shadow stacks, for which V8 emits instructions in its own builtins only.
 */
const QUIRKS = ['INTEL_ATOM', 'INTEL_JCC_ERRATUM', 'CETSS'];

const V2 = ['SSE3', 'SSSE3', 'SSE4_1', 'SSE4_2', 'SAHF', 'POPCNT'];

/** Features of the psABI's levels that V8 knows of. */
const X64_LEVELS: Readonly<Record<string, readonly string[]>> = {
  'x86-64-v2': V2,
  'x86-64-v3': [...V2, 'AVX', 'AVX2', 'BMI1', 'BMI2', 'F16C', 'FMA3', 'LZCNT'],
};

/** The level that is meant where the option is not given. */
export function defaultCpuLevel(arch: string): CpuLevel {
  if (arch === 'x64') return 'x86-64-v3';
  return arch === 'arm64' ? 'armv8' : 'host';
}

/** Whether a level belongs to an architecture, as `process.arch` has it. */
export function isLevelOf(level: CpuLevel, arch: string): boolean {
  return level === 'host' || (level === 'armv8' ? arch === 'arm64' : arch === 'x64');
}

/**
 * The flags that keep V8 to a level. None where its features are not known, nor on arm64, whose V8 has no such flags.
 *
 * @param version `process.versions.v8`
 */
export function flagsForLevel(level: CpuLevel, version: string): string[] {
  const allowed = X64_LEVELS[level];
  const features = featuresOf(version, 'x64');
  if (!allowed || features === '') return [];
  return features
    .split(' ')
    .filter((name) => !allowed.includes(name) && !QUIRKS.includes(name))
    .map((name) => `--no-enable-${name.toLowerCase().replaceAll('_', '-')}`);
}

/** The names of the bits of the word; empty where they are not known. */
export function featuresOf(version: string, arch: string): string {
  return arch === 'x64' ? (FEATURES.get(version.split('.', 2).join('.')) ?? '') : '';
}

/** The bits of a word that say what code may use: all, where they have no names. */
export function neededFeatures(word: number, features: string): number {
  return (word & ~bitsOf(features, QUIRKS)) >>> 0;
}

/** Features that V8 uses for instructions of relaxed SIMD only (`I32x4DotI8x16I7x16AddS` in V8's code generator for x64). */
const RELAXED_SIMD_ONLY = ['AVX_VNNI', 'AVX_VNNI_INT8'];

/** The bits of features that code of a module cannot use, whatever the CPU has. */
export function unusedFeatures(features: string, wire: Uint8Array): number {
  return mayUseRelaxedSimd(wire) ? 0 : bitsOf(features, RELAXED_SIMD_ONLY);
}

/**
 * Whether a module may have an instruction of relaxed SIMD: prefix 0xfd, then an opcode from 0x100 on in LEB128. Bytes
 * that look like it count, too, wherever they are.
 */
function mayUseRelaxedSimd(wire: Uint8Array): boolean {
  for (let at = wire.indexOf(0xfd); at >= 0; at = wire.indexOf(0xfd, at + 1)) {
    const [low = 0, high = 0] = wire.subarray(at + 1, at + 3);
    if (low >= 0x80 && (high & 0x7f) >= 2) return true;
  }
  return false;
}

function bitsOf(features: string, names: readonly string[]): number {
  return features
    .split(' ')
    .reduce((mask, name, bit) => (names.includes(name) ? mask | (1 << bit) : mask), 0);
}
