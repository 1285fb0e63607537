/**
 * CPU levels, in V8's terms. V8 writes the CPU features that it detected into the header of native code, as a word with
 * one bit for each. It accepts native code only if its own word is equal. To compile for a level, V8 runs with flags
 * that switch other features off (`--no-enable-avx2` …). The code runs on every machine with the features that it may
 * use.
 *
 * The order of the bits is that of `enum CpuFeature` in V8's src/codegen/cpu-features.h, which differs by version. A
 * test compares it with the word that each V8 writes for each flag. A V8 that is not listed makes code for the host's
 * own features only.
 */

/** The values of the option `cpu`: psABI levels, and `host` for the features of the machine that compiles. */
export const CPU_LEVELS = ['host', 'x86-64-v2', 'x86-64-v3', 'armv8'] as const;

export type CpuLevel = (typeof CPU_LEVELS)[number];

/** Features of x86-64 in the order of their bits, by the first two numbers of V8's version. */
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
 * Bits that do not stand for instructions: which code is faster (Atom), where jumps may be placed (an erratum), and
 * whether the operating system keeps shadow stacks. V8 emits instructions for shadow stacks in its own builtins only.
 */
const QUIRKS = ['INTEL_ATOM', 'INTEL_JCC_ERRATUM', 'CETSS'];

const V2 = ['SSE3', 'SSSE3', 'SSE4_1', 'SSE4_2', 'SAHF', 'POPCNT'];

/** Features of the psABI's levels, as far as V8 distinguishes them. */
const X64_LEVELS: Readonly<Record<string, readonly string[]>> = {
  'x86-64-v2': V2,
  'x86-64-v3': [...V2, 'AVX', 'AVX2', 'BMI1', 'BMI2', 'F16C', 'FMA3', 'LZCNT'],
};

/** The level if the option is not set. */
export function defaultCpuLevel(arch: string): CpuLevel {
  if (arch === 'x64') return 'x86-64-v3';
  return arch === 'arm64' ? 'armv8' : 'host';
}

/** Returns whether a level belongs to an architecture, in the form of `process.arch`. */
export function isLevelOf(level: CpuLevel, arch: string): boolean {
  return level === 'host' || (level === 'armv8' ? arch === 'arm64' : arch === 'x64');
}

/**
 * Returns the flags that restrict V8 to a level: none if its features are unknown, and none on arm64, whose V8 has no
 * such flags.
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

/** The names of the bits of the CPU features word, from the lowest; empty if they are unknown. */
export function featuresOf(version: string, arch: string): string {
  return arch === 'x64' ? (FEATURES.get(version.split('.', 2).join('.')) ?? '') : '';
}

/** The bits of a CPU features word that stand for instructions: all bits if their names are unknown. */
export function neededFeatures(word: number, features: string): number {
  return (word & ~bitsOf(features, QUIRKS)) >>> 0;
}

/**
 * Features that V8 uses for instructions of relaxed SIMD only (`I32x4DotI8x16I7x16AddS` in V8's code generator for
 * x64).
 */
const RELAXED_SIMD_ONLY = ['AVX_VNNI', 'AVX_VNNI_INT8'];

/** The bits of features that a module's code cannot use on any CPU. */
export function unusedFeatures(features: string, wire: Uint8Array): number {
  return mayUseRelaxedSimd(wire) ? 0 : bitsOf(features, RELAXED_SIMD_ONLY);
}

/**
 * Returns whether a module may have an instruction of relaxed SIMD: prefix 0xfd, then an opcode of at least 0x100 in
 * LEB128. Searches all bytes of the module, so data that looks like such an instruction counts, too.
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
