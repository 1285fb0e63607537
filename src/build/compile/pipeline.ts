/** From a wasm file to an artifact: read, strip, compile for each target, pack. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import pLimit from 'p-limit';
import { findAddons } from '../../addon/files.ts';
import type { ArtifactContents, Machine, NativeCode } from '../../artifact/contents.ts';
import { formatEngineKey } from '../../v8/engine-key.ts';
import {
  accepts,
  compileFor,
  describeNativeCode,
  type KnownTarget,
  probeTarget,
  type Selection,
  takesRun,
  type Target,
  trimFor,
} from '../../v8/target.ts';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import { createProfile } from '../../profile/create.ts';
import { formatProfiles } from '../../profile/format.ts';
import type { ProfileMatch } from '../../profile/match.ts';
import type { RunCode } from '../../train/modules.ts';
import { PRODUCER } from '../../common/version.ts';
import { type Builtins, findBuiltins } from '../../wasm/binary/builtins.ts';
import { interfaceOf, readModule, type WasmModule } from '../../wasm/binary/module.ts';
import { stripCustomSections } from '../../wasm/binary/strip.ts';
import type { WasmInterface } from '../../wasm/binary/types.ts';
import { cacheKey, createCache } from './cache.ts';
import { GivenProfiles } from './given-profiles.ts';
import type { ResolvedOptions } from '../options/options.ts';
import type { Progress } from './progress.ts';
import { sha256, sha256OfIndices } from '../../common/sha256.ts';
import {
  FOR_BROWSERS,
  splitForEngines,
  type SplitModules,
  type Validator,
  validatorOf,
} from './splitting.ts';

/** A module as it was read, ready to be shipped plain or precompiled. */
export interface SourceModule {
  /** Absolute path. */
  file: string;
  /** Base name without extension: `sql-wasm`. */
  name: string;
  /** SHA-256 of the file, hexadecimal. */
  sha256: string;
  /** The file as it is. */
  bytes: Uint8Array;
  /** What will be loaded: the file without the custom sections that `strip` removes. */
  wire: Uint8Array;
  module: WasmModule;
  /** Where it has some: V8 compiles it with options that native code cannot carry. */
  builtins: Builtins | undefined;
}

type Contents = ArtifactContents<WasmInterface>;

export interface Pipeline {
  /** @throws WasmPrecompileError `UNREADABLE_FILE`, `INVALID_WASM` or `UNSUPPORTED_WASM` */
  read(file: string): Promise<SourceModule>;
  /**
   * Everything that goes into the artifact of a module, with native code for all functions, or for those of its
   * startup profile where the option `profile` names one. Targets that give no native code are warned about.
   *
   * @param split whether the module may be split: for glue code that makes its instances whole
   */
  compile(source: SourceModule, split?: boolean): Promise<Contents>;
  /**
   * The same contents with native code only for functions that were executed.
   *
   * @param keep as a profile was matched with this module
   * @param runs what training runs of this module left, for code that was optimised by what they saw. Of no use where the
   *   module is split: they ran it whole
   * @param split as for {@link compile}
   */
  trim(
    source: SourceModule,
    contents: Contents,
    keep: ProfileMatch['functions'],
    runs?: readonly RunCode[],
    split?: boolean,
  ): Promise<Contents>;
  /** The parts of a module for browsers, where the option `profile` names its startup profile; undefined where it stays whole. */
  splitForBrowsers(source: SourceModule): Promise<SplitModules | undefined>;
  /** Why a module could not be split: a clause. Undefined where it was, or where that was not to be. */
  unsplitReason(source: SourceModule): string | undefined;
  /** After all modules: a sentence where no module has one of the profiles that the option names. Told once. */
  describeUnusedProfiles(): string | undefined;
  /**
   * The native loader's binaries for the targets, by the key that the runtime looks for: paths.
   *
   * @param others whether those for other versions of Node are wanted, too
   */
  addons(others?: boolean): Promise<Map<string, string>>;
}

export interface PipelineContext {
  warn: (message: string) => void;
  progress: Progress;
}

/** Several modules at a time, but no more processes than there are cores, whoever starts them. */
const limit = pLimit(availableParallelism());

export function createPipeline(
  options: Pick<ResolvedOptions, 'targets' | 'cpu' | 'strip' | 'cache' | 'timeLimit' | 'profile' | 'split'>,
  { warn, progress }: PipelineContext,
): Pipeline {
  const cache = createCache(options.cache, warn);
  const warnOnce = once(warn);
  /** Why modules were not split, by file. */
  const wholes = new Map<string, string>();
  const compiling = new Map<string, Promise<Contents>>();
  const splitting = new Map<string, Promise<SplitModules | undefined>>();
  const path = options.profile?.path;
  const given = path === undefined ? undefined : new GivenProfiles(path, warnOnce);

  const probeTargets = () =>
    Promise.all(options.targets.map((target) => limit(() => probeTarget(target, options.cpu))));

  async function compile(source: SourceModule, splittable: boolean): Promise<Contents> {
    // Splitting spares compiling the rest.
    if (splittable && options.split && given && !source.builtins) {
      const keep = await given.choose(source);
      const split = keep && (await compileSplit(source, keep));
      if (split) return split;
      const contents = await compileAll(source);
      return keep && contents.native.length > 0 ? trimWhole(source, contents, keep) : contents;
    }
    const contents = await compileAll(source);
    const keep = contents.native.length > 0 ? await given?.choose(source) : undefined;
    return keep ? trimWhole(source, contents, keep) : contents;
  }

  async function trim(
    source: SourceModule,
    contents: Contents,
    keep: ProfileMatch['functions'],
    runs: readonly RunCode[] = [],
    splittable = false,
  ): Promise<Contents> {
    const split = splittable && (await compileSplit(source, keep));
    return split || trimWhole(source, contents, keep, runs);
  }

  /** Undefined where the module stays whole. */
  async function compileSplit(
    source: SourceModule,
    keep: ProfileMatch['functions'],
  ): Promise<Contents | undefined> {
    if (!options.split) return undefined;
    const targets = uniqueEngines(await probeTargets(), warnOnce);
    // Nobody could say whether the parts are valid.
    if (targets.length === 0) return undefined;
    const hot = new Set(keep.keys());
    const validators = targets.map((target) => validatorOf(target, options.timeLimit));
    const compileParts = async (parts: SplitModules | undefined) => {
      if (!parts) return undefined;
      const wire = parts.full?.primary ?? parts.primary;
      const contents = await trimWhole({ ...source, wire }, await compileAll({ ...source, wire }), keep);
      return { parts, contents };
    };
    let compiled = await compileParts(await splitFor(source, hot, validators));
    if (
      compiled?.parts.full &&
      !(await takeLean(compiled.parts.primary, compiled.contents.native, targets))
    ) {
      const full = validators.map((each) => ({ ...each, leastBodies: Number.POSITIVE_INFINITY }));
      compiled = await compileParts(await splitFor(source, hot, full));
    }
    if (!compiled) return undefined;
    const { parts, contents } = compiled;
    return {
      ...contents,
      wire: source.wire,
      split: await describeSplit(source, parts, contents.native, targets),
    };
  }

  /** Whether all targets take native code of a full primary with the lean one. Each has accepted it with the full one. */
  async function takeLean(
    primary: Uint8Array,
    native: readonly NativeCode[],
    targets: readonly KnownTarget[],
  ): Promise<boolean> {
    const taken = native.map(async ({ engine, bytes }) => {
      const target = targetOf(engine, targets);
      if (!target) return false;
      const entry = cacheKey({ producer: PRODUCER, engine, wire: sha256(primary), takes: sha256(bytes) });
      if (await cache.get(entry)) return true;
      const accepted = await limit(() => accepts(target, primary, bytes, options.timeLimit));
      if (accepted) await cache.set(entry, Uint8Array.of(1));
      return accepted;
    });
    return native.length > 0 && (await Promise.all(taken)).every(Boolean);
  }

  /** Undefined, with what `whyWhole` tells, where the module stays whole. */
  async function splitFor(
    source: SourceModule,
    hot: ReadonlySet<number>,
    validators: readonly Validator[],
  ): Promise<SplitModules | undefined> {
    if (!options.split) return undefined;
    const { parts, whole, possible } = await splitForEngines(source, hot, validators, options.split, cache);
    if (parts) {
      wholes.delete(source.file);
      return parts;
    }
    if (!possible) wholes.set(source.file, whole);
    if (options.split.asked) warnOnce(`${source.file} is not split: ${whole}.`);
    return undefined;
  }

  async function splitForBrowsers(source: SourceModule): Promise<SplitModules | undefined> {
    // What is not larger than what is to be spared is not split whatever its profile says.
    if (!options.split || !given || source.builtins || source.wire.length <= options.split.minSaving) {
      return undefined;
    }
    const keep = await given.choose(source, 'parts');
    return keep && splitFor(source, new Set(keep.keys()), [FOR_BROWSERS]);
  }

  /** With native code for no function of the secondaries: it spares V8 a look at all of them. */
  async function describeSplit(
    source: SourceModule,
    { secondaries, full, ...others }: SplitModules,
    native: readonly NativeCode[],
    targets: readonly KnownTarget[],
  ): Promise<NonNullable<Contents['split']>> {
    const none: Selection = { executed: new Set() };
    const emptied = secondaries.map(async (wire) => ({
      wire,
      native: await Promise.all(
        native.map((code) => {
          const target = targetOf(code.engine, targets);
          return target && trimOne({ ...source, wire }, target, code.bytes, none);
        }),
      ),
    }));
    return { ...others, full: full?.plan, secondaries: await Promise.all(emptied) };
  }

  async function compileAll(source: SourceModule): Promise<Contents> {
    const targets = await probeTargets();
    const machine = machineOf(targets);
    const native: NativeCode[] = [];
    if (source.builtins) {
      warnOnce(describeBuiltins(source));
    } else if (source.module.functions > 0) {
      const results = await Promise.all(
        uniqueEngines(targets, warnOnce).map((target) => compileOne(source, target)),
      );
      for (const result of results) if (result) native.push(result);
    }
    return {
      producer: PRODUCER,
      machine,
      name: source.name,
      sourceSha256: source.sha256,
      wire: source.wire,
      interface: interfaceOf(source.module),
      functionNames: source.module.functionNames(),
      native,
    };
  }

  async function trimWhole(
    source: SourceModule,
    contents: Contents,
    keep: ProfileMatch['functions'],
    runs: readonly RunCode[] = [],
  ): Promise<Contents> {
    const targets = uniqueEngines(await probeTargets(), warnOnce);
    const native = await Promise.all(
      contents.native.map(async (code) => {
        const target = targetOf(code.engine, targets);
        if (!target) return code;
        const run = runs.find(
          ({ v8, wireSha256 }) => v8 === target.engine.key.version && wireSha256 === sha256(source.wire),
        );
        const bytes = await trimOne(source, target, code.bytes, { executed: new Set(keep.keys()), run });
        if (!bytes) return code;
        const { statistics, ...trimmed } = describeNativeCode(target, bytes, source.module);
        return { ...trimmed, statistics: { ...statistics, executed: keep.size } };
      }),
    );
    const executed = [...keep].map(([index, { optimised }]) => ({ index, optimised }));
    const profile = formatProfiles([createProfile(source.name, source.bytes, executed)]);
    return { ...contents, native, profile };
  }

  async function trimOne(
    source: SourceModule,
    target: KnownTarget,
    code: Uint8Array,
    selection: Selection,
  ): Promise<Uint8Array | undefined> {
    const { executed, run } = selection;
    const entry = cacheKey({
      producer: PRODUCER,
      engine: formatEngineKey(target.engine.key),
      wire: sha256(source.wire),
      functions: sha256OfIndices(executed),
    });
    // What a run left differs from one to the next.
    const mixed = takesRun(target.engine.key, run);
    const cached = mixed ? undefined : await cache.get(entry);
    if (cached) return cached;
    const result = await limit(() =>
      trimFor(target, source.wire, code, source.module, selection, options.timeLimit),
    );
    if ('bytes' in result) {
      if (!mixed) await cache.set(entry, result.bytes);
      return result.bytes;
    }
    warnOnce(
      `${source.file}: native code for ${target.label} cannot be trimmed to its startup profile: ${result.reason}. It holds all functions.`,
    );
    return undefined;
  }

  async function compileOne(source: SourceModule, target: KnownTarget): Promise<NativeCode | undefined> {
    const { key } = target.engine;
    const entry = cacheKey({
      producer: PRODUCER,
      engine: formatEngineKey(key),
      wire: sha256(source.wire),
    });
    const cached = await cache.get(entry);
    if (cached) return describeNativeCode(target, cached, source.module);
    const result = await limit(() =>
      progress.track(`compiling ${basename(source.file)} for ${target.label}`, () =>
        compileFor(target, source.wire, source.module, options.timeLimit),
      ),
    );
    if (result.kind === 'native') {
      await cache.set(entry, result.native.bytes);
      return result.native;
    }
    warn(
      result.kind === 'unsupported'
        ? `${source.file}: ${target.label} does not support this module (${result.reason}): no native code for it.`
        : `${source.file}: no native code for ${target.label}: ${result.reason}. It is compiled at start-up there, as without the plugin.`,
    );
    return undefined;
  }

  return {
    async addons(others = false) {
      const targets = await probeTargets();
      return new Map(
        targets.flatMap(({ addonKey, addon }) => {
          const own: [string, string][] = addon === undefined ? [] : [[addonKey, addon]];
          return others ? [...findAddons(addonKey), ...own] : own;
        }),
      );
    },
    read: (file) => readSource(file, options.strip),
    describeUnusedProfiles: () => given?.describeUnused(),
    trim,
    unsplitReason: ({ file }) => wholes.get(file),
    splitForBrowsers: (source) =>
      shared(splitting, `${source.file}\0${source.sha256}`, () => splitForBrowsers(source)),
    compile: (source, split = false) =>
      shared(compiling, `${source.file}\0${source.sha256}\0${split}`, () => compile(source, split)),
  };
}

/** Work that is going on is not begun a second time. */
function shared<Result>(
  running: Map<string, Promise<Result>>,
  id: string,
  begin: () => Promise<Result>,
): Promise<Result> {
  let result = running.get(id);
  if (!result) {
    result = begin().finally(() => running.delete(id));
    running.set(id, result);
  }
  return result;
}

/** @throws WasmPrecompileError `UNREADABLE_FILE` */
export async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new WasmPrecompileError('UNREADABLE_FILE', `${file}: cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Base name without extension: `sql-wasm`. */
export function moduleName(file: string): string {
  return basename(file).replace(/\.wasm$/, '');
}

async function readSource(file: string, strip: ResolvedOptions['strip']): Promise<SourceModule> {
  const bytes = await readBytes(file);
  const module = readModule(bytes, file);
  return {
    file,
    name: moduleName(file),
    sha256: sha256(bytes),
    bytes,
    wire: stripCustomSections(bytes, strip),
    module,
    builtins: findBuiltins(module.imports),
  };
}

/** Why a module with builtins gets no native code. */
export function describeBuiltins({ file }: SourceModule): string {
  return `${file} uses JS string builtins, which native code cannot carry: it is compiled at start-up.`;
}

/** The target that native code is for, by its engine key. */
function targetOf(engine: string, targets: readonly KnownTarget[]): KnownTarget | undefined {
  return targets.find((target) => formatEngineKey(target.engine.key) === engine);
}

function isKnown(target: Target): target is KnownTarget {
  return 'key' in target.engine;
}

/** The targets to compile for: those that give native code, one for each engine key. */
function uniqueEngines(targets: Target[], warn: (message: string) => void): KnownTarget[] {
  const byKey = new Map<string, KnownTarget>();
  for (const target of targets) {
    if (isKnown(target)) byKey.set(formatEngineKey(target.engine.key), target);
    else if ('missing' in target.engine) warn(target.engine.missing);
  }
  return [...byKey.values()];
}

function machineOf(targets: Target[]): Machine {
  const machines = new Set(targets.map(({ arch }) => arch));
  const [arch, other] = machines;
  if (other !== undefined) {
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `Option \`targets\`: an artifact holds code for one architecture, these are ${[...machines].join(' and ')}.`,
    );
  }
  return arch === 'x64' || arch === 'arm64' ? arch : 'none';
}

function once(tell: (message: string) => void): (message: string) => void {
  const told = new Set<string>();
  return (message) => {
    if (!told.has(message)) tell(message);
    told.add(message);
  };
}
