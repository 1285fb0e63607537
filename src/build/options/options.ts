/** The plugin's options: their types, their defaults and what is allowed. Resolved once, here. */
import { posix } from 'node:path';
import * as v from 'valibot';
import { createFilter, type FilterPattern } from 'unplugin-utils';
import type { CacheStore } from '../compile/cache.ts';
import { WasmPrecompileError } from '../../common/error.ts';
import { CPU_LEVELS, type CpuLevel } from '../../v8/cpu.ts';
import type { DeclarationStyle } from '../types/declaration-files.ts';
import { isTimeLimit, TIME_LIMIT } from '../../common/time-limit.ts';
import { isRunCount, RUN_COUNT } from '../../train/run-count.ts';
import type { StripMode } from '../../wasm/binary/strip.ts';
import type { ResolvedSplit } from '../compile/splitting.ts';

export interface Options {
  /** Patterns of wasm files to handle. Default: every `.wasm` file. */
  include?: FilterPattern;
  /** Patterns of wasm files to leave to the bundler. */
  exclude?: FilterPattern;
  /**
   * Engines to precompile for: `'host'` is the node that runs the build, anything else the path of a node
   * executable. Default: `['host']`.
   */
  targets?: string[];
  /**
   * The CPU that native code is made for: `'x86-64-v3'` (AVX2 and what came with it: most servers since 2013),
   * `'x86-64-v2'` or `'armv8'`, so that the program may run on another machine than the build; `'host'` uses all that
   * the machine has that builds. Default: `'x86-64-v3'`, on arm64 `'armv8'`.
   */
  cpu?: CpuLevel;
  /**
   * Startup profiles, as `wasm-precompile train` records them: a file, or a folder of them. Native code then holds
   * only the functions that were executed, and what browsers get may be split by them. Or a command that runs the output: the build
   * trains itself with it (server builds).
   * Default: none, native code for all functions.
   */
  profile?: string | TrainingOptions;
  /**
   * Demand loading: what a start executes by its profile is loaded at once, the rest of the module at the first call of a
   * function in it; in browsers in the background, once the module has started. `'auto'`: where that spares a start half a megabyte; `true`: wherever it can be; or how many parts there
   * are to be, and how many bytes a start must be spared. Default: `'auto'`.
   */
  split?: 'auto' | boolean | SplitOptions;
  /**
   * Which custom sections leave the wire bytes: none, `'debug'` (DWARF, producers, source map) or `'all'` (names,
   * too, so that stack traces show function numbers). Default: `'debug'`.
   */
  strip?: StripMode;
  /** Compare the CRC-32 of what is read with that of the build before using it. Default: `true`. */
  verify?: boolean;
  /**
   * When native code cannot be used at start-up: a warning for each reason, nothing, or an error.
   * Default: `'warn'`.
   */
  fallback?: 'warn' | 'silent' | 'error';
  /**
   * Modules smaller than this many bytes become base64 in the JavaScript: precompiling them cannot pay.
   * Default: the bundler's own limit (Vite: `build.assetsInlineLimit`), else 0.
   */
  inline?: number;
  /**
   * Modules with fewer wire bytes than this are shipped as plain wasm: they compile faster than native code loads.
   * Default: 262144 (256 KiB).
   */
  threshold?: number;
  /**
   * Look for packages that load their wasm files themselves, in server builds, and give them native code, too. Only code that
   * is bundled is seen. Default: `true`.
   */
  detect?: boolean;
  /**
   * Write an HTML page about the artifacts of a build: `true` writes `wasm-precompile-report.html` beside the output folder,
   * a path writes it there. Not in watch mode. Default: `false`.
   */
  report?: boolean | string;
  /**
   * Write TypeScript declarations of imported wasm files beside them, but not into node_modules: `true` for
   * `moduleResolution: 'bundler'`, `'nodenext'` for that. Default: `false`.
   */
  dts?: boolean | 'nodenext';
  /**
   * Where native code is kept between builds: a folder, an unstorage driver (for a cache that several machines
   * share), or `false`. Default: `node_modules/.cache/wasm-precompile`.
   */
  cache?: string | false | CacheStore;
  /**
   * What runs the output. Default: in Vite what the environment is for; in Rolldown its own `platform` where it is
   * given; else `'node'`.
   */
  platform?: 'node' | 'browser';
  /** What browsers get. */
  web?: WebOptions;
  /** Seconds that compiling one module for one target may take. Default: 300. */
  timeLimit?: number;
  /**
   * Where native code does not fit the machine that runs the program, it is made there, in the background, and kept for
   * the next start in this folder: an absolute path, or `true` for one in the user's own cache folder. Default: `false`.
   */
  recompile?: boolean | string | RecompileOptions;
}

/** How a page gets a module. */
export type Delivery = 'stream' | 'range' | 'inflate';

export interface WebOptions {
  /**
   * - `'stream'`: a plain wasm file, which the host compresses, and the browser compiles as it comes in and caches
   * - `'range'`: an ELF file, of which the browser asks for the module's part
   * - `'inflate'`: an ELF file with the module compressed in it, for hosts that do not compress
   *
   * Default: `'stream'`.
   */
  delivery?: Delivery;
  /**
   * Whether loading begins with the page, or with the request for a chunk that is imported lazily, and not only where
   * the module is used (Vite). `'all'`: with the page for modules that are imported lazily, too, also where a visit never gets to
   * the `import()`; `true` keeps to what an entry imports statically. `'link'` adds `<link rel="preload">`, which starts one round trip earlier, but costs
   * Chromium's code cache on later visits. Default: `true`.
   */
  preload?: boolean | 'link' | 'all';
  /** Subresource integrity: the browser compares a hash of the file first, so it cannot compile while it loads. Default: `false`. */
  integrity?: boolean;
}

export interface RecompileOptions {
  /** An absolute path on the machine that runs the program. Default: `wasm-precompile` in the user's own cache folder. */
  folder?: string;
  /** Seconds for which the program must have been idle. Default: 1. */
  delay?: number;
  /** Bytes that the folder may hold; what was not used for longest goes first. Default: 536870912 (512 MiB). */
  maxSize?: number;
}

export interface SplitOptions {
  /** How many parts come in later, at most, besides that of what native code has. Default: one for every 4 MiB of code. */
  secondaries?: number;
  /** Bytes that a start must be spared at least. Default: 524288 (512 KiB). */
  minSaving?: number;
}

export interface TrainingOptions {
  /** Run after the output is written, in the working directory of the build: `['node', 'train.mjs']`. */
  train: string[];
  /** Seconds that each run may take. Default: 300. */
  timeLimit?: number;
  /**
   * How often the command is run; what any of the runs executed counts. Default: twice, and where the two runs did not execute
   * exactly the same, five times, but not again once they took 10 seconds together.
   */
  runs?: number;
}

/** Where startup profiles come from. */
export type ProfileSource =
  | { path: string; train?: undefined }
  | {
      path?: undefined;
      train: string[];
      /** Of each run, in milliseconds. */
      timeLimit: number;
      /** Undefined: twice, or more where runs differ. */
      runs: number | undefined;
    };

export interface ResolvedOptions {
  /** Whether a file, by its absolute path, is ours. */
  filter: (file: string) => boolean;
  targets: string[];
  /** Undefined: the default of each target's architecture. */
  cpu: CpuLevel | undefined;
  profile: ProfileSource | undefined;
  /** Undefined: modules stay whole. */
  split: ResolvedSplit | undefined;
  strip: StripMode;
  verify: boolean;
  fallback: 'warn' | 'silent' | 'error';
  inline: number | undefined;
  threshold: number;
  detect: boolean;
  report: boolean | string;
  dts: DeclarationStyle | undefined;
  cache: string | false | CacheStore;
  platform: 'node' | 'browser' | undefined;
  /** Milliseconds. */
  timeLimit: number;
  recompile: ResolvedRecompile | undefined;
  web: Required<WebOptions>;
}

export interface ResolvedRecompile {
  folder?: string;
  /** Milliseconds. */
  delay?: number;
  maxSize?: number;
}

/**
 * Where loading native code starts to pay when a start runs a third of the functions, as that of sql.js does
 * (`npm run bench:threshold`; below, it costs 1 to 2 ms more than it saves). When all of them run, it pays from 64 to
 * 128 KiB on.
 */
const DEFAULT_THRESHOLD = 256 * 1024;

/** Below, a start gains less than a millisecond (CONTRIBUTING, "Demand loading"). */
const DEFAULT_MIN_SAVING = 512 * 1024;

const DEFAULT_CACHE = 'node_modules/.cache/wasm-precompile';

const pattern = v.union([v.string(), v.instance(RegExp)], 'Expected a string or a RegExp');
const filterPattern = v.nullish(
  v.union([pattern, v.array(pattern)], 'Expected a string, a RegExp or an array of them'),
);
const cacheStore = v.custom<CacheStore>(
  (value) => typeof value === 'object' && value !== null && 'getItemRaw' in value && 'setItemRaw' in value,
);

const seconds = v.optional(v.pipe(v.number(), v.check(isTimeLimit, `Expected ${TIME_LIMIT}`)), 300);

/** On the machine that runs the program, which may have other paths than the one that builds. */
const absoluteFolder = v.pipe(
  v.string(),
  v.check((path) => posix.isAbsolute(path), 'Expected an absolute path'),
);

const optionsSchema = v.strictObject({
  include: filterPattern,
  exclude: filterPattern,
  targets: v.optional(
    v.pipe(
      v.array(v.pipe(v.string(), v.nonEmpty()), "Expected an array of 'host' and paths of node executables"),
      v.minLength(1, "Expected at least one target: 'host' or the path of a node executable"),
    ),
    ['host'],
  ),
  cpu: v.optional(
    v.picklist(CPU_LEVELS, `Expected one of ${CPU_LEVELS.map((level) => `'${level}'`).join(', ')}`),
  ),
  profile: v.optional(
    v.union(
      [
        v.pipe(v.string(), v.nonEmpty()),
        v.strictObject({
          train: v.pipe(v.array(v.string()), v.minLength(1, 'Expected an executable and its arguments')),
          timeLimit: seconds,
          runs: v.optional(v.pipe(v.number(), v.check(isRunCount, `Expected ${RUN_COUNT}`))),
        }),
      ],
      "Expected the path of a startup profile or of a folder of them, or { train: ['node', 'script.mjs'] }, with timeLimit " +
        '(a number of seconds) and runs (a number) where they are not to be the default',
    ),
  ),
  split: v.optional(
    v.union(
      [
        v.boolean(),
        v.literal('auto'),
        v.strictObject({
          secondaries: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(64))),
          minSaving: v.optional(v.pipe(v.number(), v.minValue(0)), DEFAULT_MIN_SAVING),
        }),
      ],
      "Expected 'auto', true, false, or { secondaries (1 to 64), minSaving (a number of bytes) }",
    ),
    'auto',
  ),
  strip: v.optional(
    v.union([v.literal(false), v.literal('debug'), v.literal('all')], "Expected false, 'debug' or 'all'"),
    'debug',
  ),
  verify: v.optional(v.boolean(), true),
  fallback: v.optional(v.picklist(['warn', 'silent', 'error']), 'warn'),
  inline: v.optional(v.pipe(v.number(), v.minValue(0, 'Expected a number of bytes, 0 or more'))),
  threshold: v.optional(
    v.pipe(v.number(), v.minValue(0, 'Expected a number of bytes, 0 or more')),
    DEFAULT_THRESHOLD,
  ),
  detect: v.optional(v.boolean(), true),
  report: v.optional(
    v.union(
      [v.boolean(), v.pipe(v.string(), v.nonEmpty())],
      'Expected true, false or the path of an HTML file',
    ),
    false,
  ),
  dts: v.optional(v.union([v.boolean(), v.literal('nodenext')], "Expected true, false or 'nodenext'"), false),
  cache: v.optional(
    v.union(
      [v.pipe(v.string(), v.nonEmpty()), v.literal(false), cacheStore],
      'Expected a folder, false, or an unstorage driver with getItemRaw and setItemRaw',
    ),
    DEFAULT_CACHE,
  ),
  platform: v.optional(v.picklist(['node', 'browser'])),
  timeLimit: seconds,
  web: v.optional(
    v.strictObject({
      delivery: v.optional(
        v.picklist(['stream', 'range', 'inflate'], "Expected 'stream', 'range' or 'inflate'"),
        'stream',
      ),
      preload: v.optional(
        v.union([v.boolean(), v.picklist(['link', 'all'])], "Expected true, false, 'link' or 'all'"),
        true,
      ),
      integrity: v.optional(v.boolean(), false),
    }),
    {},
  ),
  recompile: v.optional(
    v.union(
      [
        v.boolean(),
        absoluteFolder,
        v.strictObject({
          folder: v.optional(absoluteFolder),
          delay: v.optional(v.pipe(v.number(), v.minValue(0))),
          maxSize: v.optional(v.pipe(v.number(), v.gtValue(0))),
        }),
      ],
      'Expected true, false, the absolute path of a folder, or { folder, delay, maxSize }',
    ),
    false,
  ),
});

/**
 * Checks the options and fills in the defaults.
 *
 * @throws WasmPrecompileError `INVALID_OPTIONS` that names each wrong option
 */
export function resolveOptions(options: Options = {}): ResolvedOptions {
  const parsed = v.safeParse(optionsSchema, options);
  if (!parsed.success) {
    const problems = parsed.issues.map((issue) => {
      const path = v.getDotPath(issue);
      const name = path?.split('.', 1)[0];
      if (name !== undefined && !(name in optionsSchema.entries)) {
        return `unknown option \`${name}\` (known: ${Object.keys(optionsSchema.entries).join(', ')})`;
      }
      return path === null ? issue.message : `option \`${path}\`: ${issue.message}`;
    });
    throw new WasmPrecompileError('INVALID_OPTIONS', `unplugin-wasm-precompile: ${problems.join('; ')}`);
  }
  const { include, exclude, inline, platform, cpu, profile, split, timeLimit, recompile, dts, ...rest } =
    parsed.output;
  return {
    ...rest,
    profile: resolveProfile(profile),
    split: resolveSplit(split),
    filter: createFilter(include ?? /\.wasm$/, exclude ?? []) as (file: string) => boolean,
    dts: dts === true ? 'bundler' : dts || undefined,
    inline,
    cpu,
    platform,
    timeLimit: timeLimit * 1000,
    recompile: resolveRecompile(recompile),
  };
}

function resolveRecompile(
  recompile: v.InferOutput<typeof optionsSchema>['recompile'],
): ResolvedRecompile | undefined {
  if (typeof recompile === 'boolean') return recompile ? {} : undefined;
  if (typeof recompile === 'string') return { folder: recompile };
  const { folder, delay, maxSize } = recompile;
  return {
    ...(folder === undefined ? {} : { folder }),
    ...(delay === undefined ? {} : { delay: delay * 1000 }),
    ...(maxSize === undefined ? {} : { maxSize }),
  };
}

function resolveSplit(split: v.InferOutput<typeof optionsSchema>['split']): ResolvedSplit | undefined {
  if (split === false) return undefined;
  if (split === 'auto') return { asked: false, secondaries: undefined, minSaving: DEFAULT_MIN_SAVING };
  if (split === true) return { asked: true, secondaries: undefined, minSaving: 0 };
  return { asked: true, secondaries: split.secondaries, minSaving: split.minSaving };
}

function resolveProfile(profile: v.InferOutput<typeof optionsSchema>['profile']): ProfileSource | undefined {
  if (profile === undefined) return undefined;
  return typeof profile === 'string'
    ? { path: profile }
    : { train: profile.train, timeLimit: profile.timeLimit * 1000, runs: profile.runs };
}
