/**
 * Compiles a module for each target of the build: probes the targets, runs V8 in child processes, caches native
 * code.
 */
import type { Warn } from '../../common/warn-once.ts';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import pLimit from 'p-limit';
import { findAddons } from '../../addon/files.ts';
import type { ArtifactContents, Machine, NativeCode } from '../../artifact/contents.ts';
import { WasmPrecompileError } from '../../common/error.ts';
import { sha256 } from '../../common/sha256.ts';
import { PRODUCER } from '../../common/version.ts';
import { formatEngineKey } from '../../v8/engine-key.ts';
import { compileFor } from '../../v8/compile-for-target.ts';
import { describeNativeCode } from '../../v8/describe-native-code.ts';
import { type KnownTarget, type Target } from '../../v8/target.ts';
import { probeTarget } from '../../v8/probe.ts';
import { interfaceOf } from '../../wasm/binary/module.ts';
import type { WasmInterface } from '../../wasm/binary/extern-types.ts';
import type { ResolvedOptions } from '../options/resolve.ts';
import { type Cache, cacheKey } from './cache.ts';
import { decideForNode } from './decide.ts';
import type { Progress } from './progress.ts';
import type { SourceModule } from './read-source.ts';

/** The contents of an artifact. */
export type Contents = ArtifactContents<WasmInterface>;

export type CompileOptions = Pick<
  ResolvedOptions,
  'targets' | 'cpu' | 'strip' | 'cache' | 'timeLimit' | 'profile' | 'split'
>;

/** What every step of the pipeline uses. */
export interface CompileContext {
  options: CompileOptions;
  cache: Cache;
  /** May receive a message several times. */
  warn: Warn;
  progress: Progress;
}

/** As many child processes at a time as there are cores, for all builds of this process together. */
export const limitProcesses = pLimit(availableParallelism());

export class TargetCompiler {
  readonly #context: CompileContext;

  constructor(context: CompileContext) {
    this.#context = context;
  }

  /** The targets to compile for: one for each engine key. Warns about targets that cannot give native code. */
  async engines(): Promise<KnownTarget[]> {
    return this.#uniqueEngines(await this.#probeTargets());
  }

  /**
   * Files of the native addon, by the key that the runtime looks for.
   *
   * @param others whether to include those for other versions of Node.js
   */
  async addons(others: boolean): Promise<Map<string, string>> {
    const targets = await this.#probeTargets();
    return new Map(
      targets.flatMap(({ addonKey, addon }) => {
        const own: [string, string][] = addon === undefined ? [] : [[addonKey, addon]];
        return others ? [...findAddons(addonKey), ...own] : own;
      }),
    );
  }

  /** An artifact's contents with native code for all functions. */
  async compile(source: SourceModule): Promise<Contents> {
    const targets = await this.#probeTargets();
    return {
      producer: PRODUCER,
      machine: machineOf(targets),
      name: source.name,
      sourceSha256: source.sha256,
      wire: source.wire,
      interface: interfaceOf(source.module),
      functionNames: source.module.functionNames(),
      native: await this.#compileForEach(source, targets),
    };
  }

  async #compileForEach(source: SourceModule, targets: readonly Target[]): Promise<NativeCode[]> {
    const decision = decideForNode(source);
    if (decision.kind === 'startup') {
      if (decision.warning !== undefined) this.#context.warn(decision.warning);
      return [];
    }
    if (source.module.functions === 0) return [];
    const results = await Promise.all(
      this.#uniqueEngines(targets).map((target) => this.#compileForTarget(source, target)),
    );
    return results.filter((result) => result !== undefined);
  }

  async #compileForTarget(source: SourceModule, target: KnownTarget): Promise<NativeCode | undefined> {
    const { cache, options, progress, warn } = this.#context;
    const entry = cacheKey({
      producer: PRODUCER,
      engine: formatEngineKey(target.engine.key),
      wire: sha256(source.wire),
    });
    const cached = await cache.get(entry);
    if (cached) return describeNativeCode(target, cached, source.module);
    const result = await limitProcesses(() =>
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
        ? `${source.file}: ${target.label} does not support this module (${result.reason}): not precompiled for it.`
        : `${source.file}: not precompiled for ${target.label}: ${result.reason}. It is compiled at startup there, ` +
            'as without the plugin.',
    );
    return undefined;
  }

  #probeTargets(): Promise<Target[]> {
    const { targets, cpu } = this.#context.options;
    return Promise.all(targets.map((target) => limitProcesses(() => probeTarget(target, cpu))));
  }

  #uniqueEngines(targets: readonly Target[]): KnownTarget[] {
    const byKey = new Map<string, KnownTarget>();
    for (const target of targets) {
      if (isKnown(target)) byKey.set(formatEngineKey(target.engine.key), target);
      else if ('missing' in target.engine) this.#context.warn(target.engine.missing);
    }
    return [...byKey.values()];
  }
}

/** The target that native code was compiled for, by its engine key. */
export function targetOf(engine: string, targets: readonly KnownTarget[]): KnownTarget | undefined {
  return targets.find((target) => formatEngineKey(target.engine.key) === engine);
}

function isKnown(target: Target): target is KnownTarget {
  return 'key' in target.engine;
}

/** @throws WasmPrecompileError `INVALID_OPTIONS` if the targets have several architectures */
function machineOf(targets: readonly Target[]): Machine {
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
