/** The options as the build uses them: checked, with defaults, in the units of the code. */
import { createFilter } from 'unplugin-utils';
import * as v from 'valibot';
import { WasmPrecompileError } from '../../common/error.ts';
import type { CpuLevel } from '../../v8/cpu.ts';
import type { StripMode } from '../../wasm/binary/strip.ts';
import type { DeclarationStyle } from '../types/declaration-files.ts';
import { DEFAULT_MIN_SAVING, optionsSchema, type ParsedOptions } from './schema.ts';
import type { CacheStore, Options, WebOptions } from './types.ts';

export interface ResolvedOptions {
  /** Whether the plugin handles a file, given its absolute path. */
  filter: (file: string) => boolean;
  targets: string[];
  /** Undefined: the default of each target's architecture. */
  cpu: CpuLevel | undefined;
  profile: ProfileSource | undefined;
  /** Undefined: modules are not split. */
  split: ResolvedSplit | undefined;
  strip: StripMode;
  verify: boolean;
  fallback: 'warn' | 'silent' | 'error';
  inline: number | undefined;
  threshold: number;
  detect: boolean;
  external: boolean;
  recognise: boolean;
  report: boolean | string;
  dts: DeclarationStyle | undefined;
  cache: string | false | CacheStore;
  platform: 'node' | 'browser' | undefined;
  /** Milliseconds. */
  timeLimit: number;
  recompile: ResolvedRecompile | undefined;
  web: Required<WebOptions>;
}

/** Startup profiles from files, or from a training run in the build. */
export type ProfileSource =
  | { path: string; train?: undefined }
  | {
      path?: undefined;
      train: string[];
      /** For each run, in milliseconds. */
      timeLimit: number;
      /** Undefined: twice, or more often if the runs differ. */
      runs: number | undefined;
    };

export interface ResolvedSplit {
  /** Whether the user set the option: the build then warns about each module that is not split. */
  asked: boolean;
  /**
   * The highest number of secondary modules, not counting that of a stubbed primary module; undefined: by code
   * size.
   */
  secondaries: number | undefined;
  /** Bytes of wasm that splitting must save at startup. */
  minSaving: number;
}

export interface ResolvedRecompile {
  folder?: string;
  /** Milliseconds. */
  delay?: number;
  maxSize?: number;
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws WasmPrecompileError `INVALID_OPTIONS` with the name of each wrong option
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

function resolveRecompile(recompile: ParsedOptions['recompile']): ResolvedRecompile | undefined {
  if (typeof recompile === 'boolean') return recompile ? {} : undefined;
  if (typeof recompile === 'string') return { folder: recompile };
  const { folder, delay, maxSize } = recompile;
  return {
    ...(folder === undefined ? {} : { folder }),
    ...(delay === undefined ? {} : { delay: delay * 1000 }),
    ...(maxSize === undefined ? {} : { maxSize }),
  };
}

function resolveSplit(split: ParsedOptions['split']): ResolvedSplit | undefined {
  if (split === false) return undefined;
  if (split === 'auto') return { asked: false, secondaries: undefined, minSaving: DEFAULT_MIN_SAVING };
  if (split === true) return { asked: true, secondaries: undefined, minSaving: 0 };
  return { asked: true, secondaries: split.secondaries, minSaving: split.minSaving };
}

function resolveProfile(profile: ParsedOptions['profile']): ProfileSource | undefined {
  if (profile === undefined) return undefined;
  return typeof profile === 'string'
    ? { path: profile }
    : { train: profile.train, timeLimit: profile.timeLimit * 1000, runs: profile.runs };
}
