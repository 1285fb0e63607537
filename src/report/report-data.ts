/**
 * The data of a report, as JSON: the artifacts of a build and the startup of its modules, and the samples of a
 * benchmark. Times are in milliseconds and sizes in bytes, unless a name says otherwise.
 */

export interface ReportData {
  title: string;
  /** Platform, processor and memory of the machine. */
  machine: string;
  /** Date in ISO 8601: `2026-11-24`. */
  date: string;
  /** The command that creates the report. */
  command: string;
  artifacts: ArtifactReport[];
  /** Artifacts that cannot be read. */
  unreadable?: UnreadableFile[];
  startups: StartupReport[];
  /** Sentences about what could not be observed of the startups. */
  notes?: string[];
  bench?: BenchResult;
}

/** One artifact of a build. */
export interface ArtifactReport {
  /** Path relative to the output folder of the build. */
  file: string;
  /** Name of the module: `sql-wasm`. */
  name: string;
  size: number;
  wireSize: number;
  /** Only for split modules. */
  split?: {
    /** Bytes of wasm that are loaded at startup: the primary, and the memory if it is stored apart. */
    startupSize: number;
    /** Bytes of each secondary, which are loaded later. */
    secondarySizes: number[];
  };
  native: NativeReport[];
}

export interface UnreadableFile {
  /** Path as in {@link ArtifactReport}. */
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
  /** Functions with native code; 0 if the layout is unknown. */
  compiled: number;
  /** Functions in the startup profile, if there is one. */
  executed?: number;
  /** Bytes of all instructions. */
  codeSize: number;
  /** Name and size of each function's instructions, largest first. */
  largest: [name: string, size: number][];
}

/** How one process loaded a module and called it first. The steps are sequential, with possible gaps. */
export interface StartupReport {
  module: string;
  /** `26.9.0`. */
  node: string;
  /** As in `ObservedStartup` of the recorder: `precompiled`, `compiled` or `baseline`. */
  mode: string;
  steps: StartupStep[];
}

export interface StartupStep {
  name: StepName;
  /** Milliseconds since the first step began. */
  start: number;
  end: number;
  /** For the first call: the name of the export. */
  detail?: string;
}

export const STEP_NAMES = ['map', 'check', 'load', 'instantiate', 'first call'] as const;

export type StepName = (typeof STEP_NAMES)[number];

/** The result of `npm run bench -- --json`. */
export interface BenchResult {
  machine: string;
  /** Date in ISO 8601. */
  date: string;
  command: string;
  /** Rounds of fresh processes that count. One more round before them warms up the machine. */
  rounds: number;
  modules: BenchModule[];
  cases: BenchCase[];
  builds: BenchBuild[];
  growth: GrowthPoint[];
  peers: PeerResult[];
  /** Sentences about other things that could not be measured, with the reason. */
  missing: string[];
}

export interface BenchModule {
  name: string;
  /** `C, Emscripten`. */
  toolchain: string;
  /** What is special about the module: `SIMD`, `very small` … */
  note: string;
  wasmSize: number;
}

/**
 * - `baseline`: the same program without the plugin
 * - `precompiled`: native code for all functions
 * - `unsplit`: native code for the functions that a training run executed
 * - `profile`: the same, and the module is split if that saves enough
 * - `warm`: the limit, measured in a process that has loaded and run the module before
 */
export const BENCH_MODES = ['baseline', 'precompiled', 'unsplit', 'profile', 'warm'] as const;

export type BenchMode = (typeof BENCH_MODES)[number];

/** One module on one Node. */
export interface BenchCase {
  module: string;
  /** `26.9.0`. */
  node: string;
  /** Samples with the same index were taken in the same round. */
  modes: Record<BenchMode, BenchSamples>;
}

/** One sample for each round, or the reason why there are none. */
export type BenchSamples =
  | {
      missing?: undefined;
      /** From the debug output: `precompiled, mapped`; `compiled`. */
      loaded: string;
      samples: BenchSample[];
    }
  | { missing: string };

export interface BenchSample {
  load: number;
  instantiate: number;
  call: number;
  /** From just before the file is opened until the first real result. */
  total: number;
  /** The part of `total` in which the main thread was busy. */
  blocked: number;
  /** Peak resident set size of the process. */
  peakMemory: number;
}

/** Cost of building one module. */
export interface BenchBuild {
  module: string;
  mode: Exclude<BenchMode, 'unsplit' | 'warm'>;
  /** Seconds of the whole build with an empty cache. */
  coldSeconds: number;
  /** Seconds of the whole build with a full cache. */
  cachedSeconds: number;
  /** Bytes of all files that the build wrote. */
  outputSize: number;
  /** Bytes of all native code. */
  nativeSize: number;
}

/** Measurements of one generated module. */
export interface GrowthPoint {
  node: string;
  mode: BenchMode;
  wasmSize: number;
  fileSize: number;
  /** With an empty cache. For `profile` the cache is full, so only the work after compilation counts. */
  buildSeconds: number;
  /** Median. */
  load: number;
  total: number;
  peakMemory: number;
}

/** The same module and task with another bundler or plugin. */
export interface PeerResult {
  /** `vite-plugin-wasm 3.5.0`. */
  peer: string;
  module: string;
  node: string;
  outcome: { missing: string } | { missing?: undefined; totals: number[]; outputSize: number };
}
