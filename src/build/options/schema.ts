/** The values that each option allows, and the defaults. */
import { posix } from 'node:path';
import * as v from 'valibot';
import { isTimeLimit, TIME_LIMIT } from '../../common/time-limit.ts';
import { isRunCount, RUN_COUNT } from '../../train/run-count.ts';
import { CPU_LEVELS } from '../../v8/cpu.ts';
import type { CacheStore } from './types.ts';

/**
 * The module size from which loading native code is faster than compilation when a startup executes a third of the
 * functions, as that of sql.js does. Below it, loading costs 1 to 2 ms more than it saves (`npm run
 * bench:threshold`). When all functions are executed, the limit lies between 64 and 128 KiB.
 */
const DEFAULT_THRESHOLD = 256 * 1024;

/** Splitting that saves less shortens a startup by less than 1 ms (docs/internals/decisions/module-splitting.md). */
export const DEFAULT_MIN_SAVING = 512 * 1024;

const DEFAULT_CACHE = 'node_modules/.cache/wasm-precompile';

const pattern = v.union([v.string(), v.instance(RegExp)], 'Expected a string or a RegExp');
const filterPattern = v.nullish(
  v.union([pattern, v.array(pattern)], 'Expected a string, a RegExp or an array of them'),
);
const cacheStore = v.custom<CacheStore>(
  (value) => typeof value === 'object' && value !== null && 'getItemRaw' in value && 'setItemRaw' in value,
);

const seconds = v.optional(v.pipe(v.number(), v.check(isTimeLimit, `Expected ${TIME_LIMIT}`)), 300);

/** A folder of the machine that runs the program: its path cannot be resolved against the build machine's folders. */
const absoluteFolder = v.pipe(
  v.string(),
  v.check((path) => posix.isAbsolute(path), 'Expected an absolute path'),
);

export const optionsSchema = v.strictObject({
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
      "Expected the path of a startup profile or of a folder of them, or { train: ['node', 'script.mjs'] }, " +
        'with timeLimit (a number of seconds) and runs (a number) if they differ from the default',
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
  external: v.optional(v.boolean(), true),
  recognise: v.optional(v.boolean(), true),
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

export type ParsedOptions = v.InferOutput<typeof optionsSchema>;
