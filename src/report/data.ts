/**
 * What a report shows, as JSON: of a build, what its artifacts hold and how a start went; of a benchmark, its samples.
 * Times are in milliseconds, sizes in bytes, unless a name says otherwise.
 */

export interface ReportData {
  title: string;
  /** Platform, processor, memory: where it was made. */
  machine: string;
  /** ISO 8601, the day: `2026-11-24`. */
  date: string;
  /** What makes it again. */
  command: string;
  artifacts: ArtifactReport[];
  /** What should be artifacts and cannot be read. */
  unreadable?: UnreadableFile[];
  starts: StartupReport[];
  /** Sentences: what of the starts could not be seen. */
  notes?: string[];
  bench?: BenchResult;
}

/** One artifact of a build. */
export interface ArtifactReport {
  /** As the user knows it: relative to the folder of the build. */
  file: string;
  /** Of the module: `sql-wasm`. */
  name: string;
  size: number;
  wireSize: number;
  /** Bytes of each part, where the module is split: of the primary, then of those that come in later. */
  parts?: number[];
  native: NativeReport[];
}

export interface UnreadableFile {
  /** As in {@link ArtifactReport}. */
  file: string;
  reason: string;
}

/** Native code for one engine. */
export interface NativeReport {
  /** The engine key. */
  engine: string;
  size: number;
  /** Declared functions of the module. */
  functions: number;
  /** Functions with native code; 0 where the layout is unknown. */
  compiled: number;
  /** Functions that the startup profile names, where there is one. */
  executed?: number;
  /** Of all instructions. */
  codeSize: number;
  /** Name and size of each function's instructions, largest first. */
  largest: [name: string, size: number][];
}

/** How one process loaded one module and used it first. Steps follow one another; there may be gaps between them. */
export interface StartupReport {
  module: string;
  /** `26.9.0`. */
  node: string;
  /** `plain`, `precompiled` … */
  mode: string;
  steps: StartupStep[];
}

export interface StartupStep {
  name: StepName;
  /** From the first step's begin. */
  start: number;
  end: number;
  /** Of the first call: the export that was called. */
  detail?: string;
}

export const STEP_NAMES = ['map', 'check', 'load', 'instantiate', 'first call'] as const;

export type StepName = (typeof STEP_NAMES)[number];

/** What `npm run bench -- --json` writes. */
export interface BenchResult {
  machine: string;
  /** ISO 8601, the day. */
  date: string;
  command: string;
  /** Rounds of fresh processes that count; one more went before them to warm up. */
  rounds: number;
  modules: BenchModule[];
  cases: BenchCase[];
  builds: BenchBuild[];
  growth: GrowthPoint[];
  peers: PeerResult[];
  /** What else could not be measured, and why: sentences. */
  missing: string[];
}

export interface BenchModule {
  name: string;
  /** `C, Emscripten`. */
  toolchain: string;
  /** What makes it worth measuring: `SIMD`, `very small` … */
  note: string;
  wasmSize: number;
}

/**
 * - `plain`: what a user has without the plugin
 * - `precompiled`: native code for all functions
 * - `unsplit`: native code for what a training run executed
 * - `profile`: the same, and the module is split where that pays
 * - `warm`: the limit: in a process that has loaded and run the module before
 */
export const BENCH_MODES = ['plain', 'precompiled', 'unsplit', 'profile', 'warm'] as const;

export type BenchMode = (typeof BENCH_MODES)[number];

/** One module on one Node. */
export interface BenchCase {
  module: string;
  /** `26.9.0`. */
  node: string;
  /** Samples with the same index were taken in the same round. */
  modes: Record<BenchMode, BenchSamples>;
}

/** One sample for each round, or why there are none. */
export type BenchSamples =
  | {
      missing?: undefined;
      /** What the debug output says: `precompiled, mapped`; `compiled`. */
      loaded: string;
      samples: BenchSample[];
    }
  | { missing: string };

export interface BenchSample {
  load: number;
  instantiate: number;
  call: number;
  /** From before the file is touched until the first real result. */
  total: number;
  /** Of `total`, how long the main thread was busy. */
  blocked: number;
  /** Peak resident set size of the process. */
  peakMemory: number;
}

/** What a build of one module costs. */
export interface BenchBuild {
  module: string;
  mode: Exclude<BenchMode, 'unsplit' | 'warm'>;
  /** Seconds of the whole build with an empty cache. */
  coldSeconds: number;
  /** With a full one. */
  cachedSeconds: number;
  /** Of all files that the build wrote. */
  outputSize: number;
  /** Of all native code. */
  nativeSize: number;
}

/** A generated module. */
export interface GrowthPoint {
  node: string;
  mode: BenchMode;
  wasmSize: number;
  fileSize: number;
  /** With an empty cache; of `profile` what comes after compiling, with a full one. */
  buildSeconds: number;
  /** Medians. */
  load: number;
  total: number;
  peakMemory: number;
}

/** Another way to bundle the same module for the same task. */
export interface PeerResult {
  /** `vite-plugin-wasm 3.5.0`. */
  peer: string;
  module: string;
  node: string;
  outcome: { missing: string } | { missing?: undefined; totals: number[]; outputSize: number };
}
