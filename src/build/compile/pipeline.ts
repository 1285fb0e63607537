/**
 * From a wasm file to the contents of an artifact: reads the file, compiles it for each target, trims native code to a
 * startup profile, splits the module. Packing the contents into a file is up to the caller.
 */
import type { Warn } from '../../common/warn-once.ts';
import type { ProfileMatch } from '../../profile/match.ts';
import type { RunCode } from '../../train/trained-modules.ts';
import { createCache } from './cache.ts';
import { GivenProfiles } from './given-profiles.ts';
import { ProfileTrimmer } from './profile-trimmer.ts';
import type { Progress } from './progress.ts';
import { readComplete } from './read-complete.ts';
import { readSource, type SourceModule } from './read-source.ts';
import { SplitCompiler } from './split-compiler.ts';
import type { SplitModules } from './splitting.ts';
import { type CompileOptions, type Contents, TargetCompiler } from './target-compiler.ts';

export interface Pipeline {
  /**
   * @param watched whether another tool may be writing the file: in watch mode
   * @throws WasmPrecompileError `UNREADABLE_FILE`, `INVALID_WASM` or `UNSUPPORTED_WASM`
   */
  read(file: string, watched?: boolean): Promise<SourceModule>;
  /**
   * The contents of a module's artifact. Native code holds all functions, or those of the startup profile that the
   * option `profile` names. Warns about targets without native code.
   *
   * @param split whether the module may be split: only if generated code instantiates it
   */
  compile(source: SourceModule, split?: boolean): Promise<Contents>;
  /**
   * The same contents with native code only for functions that were executed.
   *
   * @param keep the functions of a profile, as matched with this module
   * @param runs native code from training runs of this module, for functions that V8 optimised by what a run
   *   executed. Not used if the module is split, since the runs executed the original module
   * @param split as for {@link compile}
   */
  trim(
    source: SourceModule,
    contents: Contents,
    keep: ProfileMatch['functions'],
    runs?: readonly RunCode[],
    split?: boolean,
  ): Promise<Contents>;
  /**
   * The split module for browsers, by the startup profile that the option `profile` names; undefined if it is not
   * split.
   */
  splitForBrowsers(source: SourceModule): Promise<SplitModules | undefined>;
  /** Why a module could not be split: a clause. Undefined if it was split, or if the options do not ask for it. */
  unsplitReason(source: SourceModule): string | undefined;
  /** After all modules: a sentence if no module matches any profile that the option names. */
  describeUnusedProfiles(): string | undefined;
  /**
   * Files of the native addon for the targets, by the key that the runtime looks for.
   *
   * @param others whether to include those for other versions of Node.js
   */
  addons(others?: boolean): Promise<Map<string, string>>;
}

export interface PipelineContext {
  /** May receive a message several times. */
  warn: Warn;
  progress: Progress;
}

export function createPipeline(options: CompileOptions, { warn, progress }: PipelineContext): Pipeline {
  const context = { options, cache: createCache(options.cache, warn), warn, progress };
  const compiler = new TargetCompiler(context);
  const trimmer = new ProfileTrimmer(context, compiler);
  const splitter = new SplitCompiler(context, compiler, trimmer);
  const path = options.profile?.path;
  const profiles = path === undefined ? undefined : new GivenProfiles(path, warn);
  const compiling = new Map<string, Promise<Contents>>();
  const splitting = new Map<string, Promise<SplitModules | undefined>>();

  async function compile(source: SourceModule, splittable: boolean): Promise<Contents> {
    // Splitting comes first: a split module needs no native code for its secondary modules.
    if (splittable && options.split && profiles && !source.builtins) {
      const keep = await profiles.choose(source);
      const split = keep && (await splitter.compile(source, keep));
      if (split) return split;
      const contents = await compiler.compile(source);
      return keep && contents.native.length > 0 ? trimmer.trim(source, contents, keep) : contents;
    }
    const contents = await compiler.compile(source);
    const keep = contents.native.length > 0 ? await profiles?.choose(source) : undefined;
    return keep ? trimmer.trim(source, contents, keep) : contents;
  }

  async function splitForBrowsers(source: SourceModule): Promise<SplitModules | undefined> {
    const { split } = options;
    // A module that is not larger than the required saving cannot be split, whatever its profile.
    if (!split || !profiles || source.builtins || source.wire.length <= split.minSaving) return undefined;
    const keep = await profiles.choose(source, 'split');
    return keep && splitter.splitForBrowsers(source, keep);
  }

  return {
    read(file, watched = false) {
      const read = () => readSource(file, options.strip);
      return watched ? readComplete(file, read) : read();
    },
    compile: (source, split = false) =>
      shared(compiling, `${source.file}\0${source.sha256}\0${split}`, () => compile(source, split)),
    async trim(source, contents, keep, runs = [], split = false) {
      return (split && (await splitter.compile(source, keep))) || trimmer.trim(source, contents, keep, runs);
    },
    splitForBrowsers: (source) =>
      shared(splitting, `${source.file}\0${source.sha256}`, () => splitForBrowsers(source)),
    unsplitReason: ({ file }) => splitter.unsplitReason(file),
    describeUnusedProfiles: () => profiles?.describeUnused(),
    addons: (others = false) => compiler.addons(others),
  };
}

/** Concurrent calls with the same id share one execution. */
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
