/** Trims native code to the functions that a startup profile names. */
import { sha256, sha256OfIndices } from '../../common/sha256.ts';
import { PRODUCER } from '../../common/version.ts';
import { createProfile } from '../../profile/create.ts';
import { formatProfiles } from '../../profile/profile-text.ts';
import type { ProfileMatch } from '../../profile/match.ts';
import type { RunCode } from '../../train/trained-modules.ts';
import { formatEngineKey } from '../../v8/engine-key.ts';
import { describeNativeCode } from '../../v8/describe-native-code.ts';
import { type KnownTarget } from '../../v8/target.ts';
import { type Selection, takesRun, trimFor } from '../../v8/trim.ts';
import { cacheKey } from './cache.ts';
import type { SourceModule } from './read-source.ts';
import {
  type CompileContext,
  type Contents,
  limitProcesses,
  type TargetCompiler,
  targetOf,
} from './target-compiler.ts';

export class ProfileTrimmer {
  readonly #context: CompileContext;
  readonly #compiler: TargetCompiler;

  constructor(context: CompileContext, compiler: TargetCompiler) {
    this.#context = context;
    this.#compiler = compiler;
  }

  /**
   * Returns the same contents with native code only for some functions. Native code that cannot be trimmed stays
   * complete.
   *
   * @param keep the functions of the profile, as matched with this module
   * @param runs native code from training runs of this module: it supplies code that V8 optimised by what a run
   *   executed
   */
  async trim(
    source: SourceModule,
    contents: Contents,
    keep: ProfileMatch['functions'],
    runs: readonly RunCode[] = [],
  ): Promise<Contents> {
    const targets = await this.#compiler.engines();
    const executed = new Set(keep.keys());
    const native = await Promise.all(
      contents.native.map(async (code) => {
        const target = targetOf(code.engine, targets);
        if (!target) return code;
        const run = runs.find(
          ({ v8, wireSha256 }) => v8 === target.engine.key.version && wireSha256 === sha256(source.wire),
        );
        const bytes = await this.trimForTarget(source, target, code.bytes, { executed, run });
        if (!bytes) return code;
        const { statistics, ...trimmed } = describeNativeCode(target, bytes, source.module);
        return { ...trimmed, statistics: { ...statistics, executed: keep.size } };
      }),
    );
    const profiled = [...keep].map(([index, { optimised }]) => ({ index, optimised }));
    const profile = formatProfiles([createProfile(source.name, source.bytes, profiled)]);
    return { ...contents, native, profile };
  }

  /** Native code of one target; undefined, with a warning, if it cannot be trimmed. */
  async trimForTarget(
    source: Pick<SourceModule, 'file' | 'wire' | 'module'>,
    target: KnownTarget,
    code: Uint8Array,
    selection: Selection,
  ): Promise<Uint8Array | undefined> {
    const { cache, options, warn } = this.#context;
    const { executed, run } = selection;
    const entry = cacheKey({
      producer: PRODUCER,
      engine: formatEngineKey(target.engine.key),
      wire: sha256(source.wire),
      functions: sha256OfIndices(executed),
    });
    // Not cached: native code from a training run differs from run to run.
    const mixed = takesRun(target.engine.key, run);
    const cached = mixed ? undefined : await cache.get(entry);
    if (cached) return cached;
    const result = await limitProcesses(() =>
      trimFor(target, source.wire, code, source.module, selection, options.timeLimit),
    );
    if ('bytes' in result) {
      if (!mixed) await cache.set(entry, result.bytes);
      return result.bytes;
    }
    warn(
      `${source.file}: native code for ${target.label} cannot be trimmed to its startup profile: ${result.reason}. ` +
        'It holds all functions.',
    );
    return undefined;
  }
}
