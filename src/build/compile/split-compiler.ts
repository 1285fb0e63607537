/** Splits a module by its startup profile, if the option `split` allows it, and compiles the primary module. */
import type { NativeCode } from '../../artifact/contents.ts';
import { sha256 } from '../../common/sha256.ts';
import { PRODUCER } from '../../common/version.ts';
import type { ProfileMatch } from '../../profile/match.ts';
import { accepts } from '../../v8/accept.ts';
import { type KnownTarget } from '../../v8/target.ts';
import { type Selection } from '../../v8/trim.ts';
import { cacheKey } from './cache.ts';
import type { ProfileTrimmer } from './profile-trimmer.ts';
import type { SourceModule } from './read-source.ts';
import {
  FOR_BROWSERS,
  splitForEngines,
  type SplitModules,
  type Validator,
  validatorOf,
} from './splitting.ts';
import {
  type CompileContext,
  type Contents,
  limitProcesses,
  type TargetCompiler,
  targetOf,
} from './target-compiler.ts';

/** A split module with the native code of its primary module. */
interface CompiledSplit {
  modules: SplitModules;
  contents: Contents;
}

export class SplitCompiler {
  readonly #context: CompileContext;
  readonly #compiler: TargetCompiler;
  readonly #trimmer: ProfileTrimmer;
  /** Why modules were not split, by file. */
  readonly #reasons = new Map<string, string>();

  constructor(context: CompileContext, compiler: TargetCompiler, trimmer: ProfileTrimmer) {
    this.#context = context;
    this.#compiler = compiler;
    this.#trimmer = trimmer;
  }

  /** Why a module could not be split: a clause. Undefined if it was split, or if the options do not ask for it. */
  unsplitReason(file: string): string | undefined {
    return this.#reasons.get(file);
  }

  /**
   * An artifact's contents with the split module.
   *
   * @param keep the functions that a startup executes
   * @returns undefined if the module is not split
   */
  async compile(source: SourceModule, keep: ProfileMatch['functions']): Promise<Contents | undefined> {
    if (!this.#context.options.split) return undefined;
    const targets = await this.#compiler.engines();
    // Without an engine nothing can validate the split modules.
    if (targets.length === 0) return undefined;
    const compiled = await this.#compileForTargets(source, keep, targets);
    if (!compiled) return undefined;
    const { modules, contents } = compiled;
    return {
      ...contents,
      wire: source.wire,
      split: await this.#describe(source, modules, contents.native, targets),
    };
  }

  /** The split module for browsers; undefined if the module is not split. @param keep as for {@link compile} */
  splitForBrowsers(source: SourceModule, keep: ProfileMatch['functions']): Promise<SplitModules | undefined> {
    return this.#split(source, new Set(keep.keys()), [FOR_BROWSERS]);
  }

  /** With a stubbed primary module if all targets accept it, else with a full one. */
  async #compileForTargets(
    source: SourceModule,
    keep: ProfileMatch['functions'],
    targets: readonly KnownTarget[],
  ): Promise<CompiledSplit | undefined> {
    const hot = new Set(keep.keys());
    const validators = targets.map((target) => validatorOf(target, this.#context.options.timeLimit));
    const compiled = await this.#compilePrimary(source, keep, await this.#split(source, hot, validators));
    if (!compiled?.modules.full) return compiled;
    const { modules, contents } = compiled;
    if (await this.#isStubbedAccepted(modules.primary, contents.native, targets)) return compiled;
    const full = validators.map((each) => ({ ...each, leastBodies: Number.POSITIVE_INFINITY }));
    return this.#compilePrimary(source, keep, await this.#split(source, hot, full));
  }

  async #compilePrimary(
    source: SourceModule,
    keep: ProfileMatch['functions'],
    modules: SplitModules | undefined,
  ): Promise<CompiledSplit | undefined> {
    if (!modules) return undefined;
    const primary = { ...source, wire: modules.full?.primary ?? modules.primary };
    const contents = await this.#compiler.compile(primary);
    return { modules, contents: await this.#trimmer.trim(primary, contents, keep) };
  }

  /**
   * Whether all targets accept native code of the full primary module together with the stubbed one. Each has
   * accepted it with the full one.
   */
  async #isStubbedAccepted(
    primary: Uint8Array,
    native: readonly NativeCode[],
    targets: readonly KnownTarget[],
  ): Promise<boolean> {
    const { cache, options } = this.#context;
    const results = native.map(async ({ engine, bytes }) => {
      const target = targetOf(engine, targets);
      if (!target) return false;
      const entry = cacheKey({ producer: PRODUCER, engine, wire: sha256(primary), accepts: sha256(bytes) });
      if (await cache.get(entry)) return true;
      const accepted = await limitProcesses(() => accepts(target, primary, bytes, options.timeLimit));
      if (accepted) await cache.set(entry, Uint8Array.of(1));
      return accepted;
    });
    return native.length > 0 && (await Promise.all(results)).every(Boolean);
  }

  /** Undefined if the module is not split; {@link unsplitReason} then says why. */
  async #split(
    source: SourceModule,
    hot: ReadonlySet<number>,
    validators: readonly Validator[],
  ): Promise<SplitModules | undefined> {
    const { cache, options, warn } = this.#context;
    if (!options.split) return undefined;
    const result = await splitForEngines(source, hot, validators, options.split, cache);
    if (result.modules) {
      this.#reasons.delete(source.file);
      return result.modules;
    }
    if (!result.possible) this.#reasons.set(source.file, result.unsplitReason);
    if (options.split.asked) warn(`${source.file} is not split: ${result.unsplitReason}.`);
    return undefined;
  }

  /**
   * Secondary modules get native code that holds no function: V8 deserializes it instead of validating every function
   * body.
   */
  async #describe(
    source: SourceModule,
    { secondaries, full, ...others }: SplitModules,
    native: readonly NativeCode[],
    targets: readonly KnownTarget[],
  ): Promise<NonNullable<Contents['split']>> {
    const none: Selection = { executed: new Set() };
    const described = secondaries.map(async (wire) => ({
      wire,
      native: await Promise.all(
        native.map(({ engine, bytes }) => {
          const target = targetOf(engine, targets);
          return target && this.#trimmer.trimForTarget({ ...source, wire }, target, bytes, none);
        }),
      ),
    }));
    return { ...others, full: full?.plan, secondaries: await Promise.all(described) };
  }
}
