/** The public types of the plugin's options. */
import type { FilterPattern } from 'unplugin-utils';
import type { CpuLevel } from '../../v8/cpu.ts';
import type { StripMode } from '../../wasm/binary/strip.ts';

export interface Options {
  /**
   * Patterns of the wasm files that the plugin handles.
   *
   * @default /\.wasm$/
   */
  include?: FilterPattern;
  /**
   * Patterns of wasm files that the plugin leaves to the bundler.
   *
   * @default []
   */
  exclude?: FilterPattern;
  /**
   * Engines to precompile for: `'host'` is the Node.js that runs the build, anything else the path of a node
   * executable.
   *
   * @default ['host']
   */
  targets?: string[];
  /**
   * The CPU level that native code may use, so that the program also runs on machines other than the build machine.
   *
   * - `'x86-64-v3'`: AVX2 and the features of its generation, which most servers have had since 2013
   * - `'x86-64-v2'`: older x64 CPUs
   * - `'armv8'`: the level for arm64
   * - `'host'`: every feature of the build machine
   *
   * @default 'x86-64-v3' on x64, 'armv8' on arm64
   */
  cpu?: CpuLevel;
  /**
   * Startup profiles as `wasm-precompile train` records them (a file or a folder), or a command that runs the
   * output so that the build trains itself (server builds). Native code then holds only the functions that were
   * executed, and modules may be split by the profile.
   *
   * @default undefined: native code holds all functions
   */
  profile?: string | TrainingOptions;
  /**
   * Module splitting: a startup loads the functions that its profile names; a secondary module is loaded when one
   * of its functions is first called. In browsers, secondary modules load in the background after the module has
   * started.
   *
   * - `'auto'`: split a module if it saves at least 512 KiB at startup
   * - `true`: split every module that can be split
   * - an object: limits of its own
   *
   * @default 'auto'
   */
  split?: 'auto' | boolean | SplitOptions;
  /**
   * Custom sections to remove from the module: none (`false`), `'debug'` (DWARF, producers, source map) or `'all'`
   * (names as well, so that stack traces show function numbers).
   *
   * @default 'debug'
   */
  strip?: StripMode;
  /**
   * Compares the CRC-32 of the bytes that are read with that of the build before it uses them.
   *
   * @default true
   */
  verify?: boolean;
  /**
   * What happens when native code cannot be used at startup: a warning for each reason, nothing, or an error.
   *
   * @default 'warn'
   */
  fallback?: 'warn' | 'silent' | 'error';
  /**
   * Modules smaller than this many bytes become base64 in the JavaScript, since precompiling them saves nothing.
   *
   * @default the bundler's own limit (Vite: `build.assetsInlineLimit`), else 0
   */
  inline?: number;
  /**
   * Modules smaller than this many bytes are not precompiled, since V8 compiles them faster than it loads
   * native code.
   *
   * @default 262144 (256 KiB)
   */
  threshold?: number;
  /**
   * Detects packages that load their own wasm files, in server builds, and precompiles those files as well. The
   * scan covers only code that is bundled.
   *
   * @default true
   */
  detect?: boolean;
  /**
   * Traces packages that the bundler leaves outside the bundle, in server builds, and precompiles the wasm files
   * that their code names. Needs `recognise`.
   *
   * @default true
   */
  external?: boolean;
  /**
   * Recognises modules by their bytes when the program passes them to the engine, in server builds: each entry imports
   * a file first that wraps the functions of `WebAssembly` which compile. Without it, modules that code loads itself
   * are compiled as usual. A library must not change the process of its users: Vite's library builds never do this;
   * for libraries that another bundler builds, set this to `false`.
   *
   * @default true
   */
  recognise?: boolean;
  /**
   * Writes an HTML page about the artifacts of a build, not in watch mode: `true` writes
   * `wasm-precompile-report.html` beside the output folder, a path names the file.
   *
   * @default false
   */
  report?: boolean | string;
  /**
   * Writes TypeScript declarations beside imported wasm files outside node_modules: `true` for
   * `moduleResolution: 'bundler'`, `'nodenext'` for that setting.
   *
   * @default false
   */
  dts?: boolean | 'nodenext';
  /**
   * The cache of native code between builds: a folder, an unstorage driver (for a cache that several machines
   * share), or `false` for no cache.
   *
   * @default 'node_modules/.cache/wasm-precompile'
   */
  cache?: string | false | CacheStore;
  /**
   * What runs the output.
   *
   * @default Vite: the environment's consumer; Rolldown: its own `platform` if it is set; else 'node'
   */
  platform?: 'node' | 'browser';
  /** How browsers get modules. */
  web?: WebOptions;
  /**
   * Seconds that compiling one module for one target may take.
   *
   * @default 300
   */
  timeLimit?: number;
  /**
   * On-device compilation: if native code is not compatible with the machine that runs the program, a background
   * process compiles the module there and saves the result for the next startup. The value is an absolute folder
   * path, or `true` for a folder in the user's cache folder.
   *
   * @default false
   */
  recompile?: boolean | string | RecompileOptions;
}

export interface SplitOptions {
  /**
   * The highest number of secondary modules, not counting the one that holds the functions of a stubbed primary
   * module.
   *
   * @default one for every 4 MiB of code
   */
  secondaries?: number;
  /**
   * Bytes of wasm that splitting must save at startup; modules that save less are not split.
   *
   * @default 524288 (512 KiB)
   */
  minSaving?: number;
}

export interface TrainingOptions {
  /** The command to run after the output is written, in the build's working directory: `['node', 'train.mjs']`. */
  train: string[];
  /**
   * Seconds that each run may take.
   *
   * @default 300
   */
  timeLimit?: number;
  /**
   * How often the command runs; a function that any run executed counts as executed.
   *
   * @default 2, or 5 if the first two runs executed different functions; no further run begins after 10 seconds in
   *   total
   */
  runs?: number;
}

/** How a page gets a module. */
export type Delivery = 'stream' | 'range' | 'inflate';

export interface WebOptions {
  /**
   * How a page gets a module.
   *
   * - `'stream'`: a plain wasm file; the host compresses it, the browser compiles it while it downloads, and caches
   *   the code
   * - `'range'`: an ELF file, from which the browser requests the byte range of the module
   * - `'inflate'`: an ELF file with the compressed module, for hosts that do not compress
   *
   * @default 'stream'
   */
  delivery?: Delivery;
  /**
   * Begins to load modules before the code that uses them runs (Vite).
   *
   * - `true`: with the page, or with the request for the lazily imported chunk that needs the module
   * - `'all'`: with the page also for modules that are imported lazily, even if a visit never reaches the
   *   `import()`
   * - `'link'`: adds `<link rel="preload">`, which begins one round trip earlier but prevents Chromium's code cache
   *   on later visits
   * - `false`: when the module is used
   *
   * @default true
   */
  preload?: boolean | 'link' | 'all';
  /**
   * Subresource integrity: the browser compares the hash of the complete file first, so it cannot compile while it
   * downloads.
   *
   * @default false
   */
  integrity?: boolean;
}

export interface RecompileOptions {
  /**
   * An absolute path on the machine that runs the program.
   *
   * @default `wasm-precompile` in the user's cache folder
   */
  folder?: string;
  /**
   * Seconds that the program must be idle before compilation begins.
   *
   * @default 1
   */
  delay?: number;
  /**
   * Bytes that the folder may hold; the entries that were not used for the longest time are deleted first.
   *
   * @default 536870912 (512 MiB)
   */
  maxSize?: number;
}

/** A store for the cache of native code, in the shape of an unstorage driver or storage. */
export interface CacheStore {
  getItemRaw(key: string): unknown;
  setItemRaw(key: string, value: Uint8Array): unknown;
}
