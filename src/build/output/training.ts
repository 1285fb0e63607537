/** Training as a part of the build: runs what the bundler has written, and trims its artifacts to what was executed. */
import type { ArtifactContents } from '../../artifact/contents.ts';
import { packArtifact } from '../../artifact/pack.ts';
import { messageOf } from '../../common/error.ts';
import { matchProfile } from '../../profile/match.ts';
import type { ArtifactManifest } from '../../runtime/shared/manifest.ts';
import { hashModule } from '../../wasm/binary/hash.ts';
import type { WasmInterface } from '../../wasm/binary/types.ts';
import { formatManifest } from '../codegen/manifest-text.ts';
import type { Pipeline, SourceModule } from '../compile/pipeline.ts';
import { type OutputFile, type Replacement, type Rewritten, rewriteOutput } from './rewrite-output.ts';
import { runTraining, type TrainingCommand } from './training-runs.ts';

/** An artifact of the output, with native code for all functions. */
export interface UntrainedArtifact extends OutputFile {
  source: SourceModule;
  contents: ArtifactContents<WasmInterface>;
  manifest: ArtifactManifest;
  /** Where it may be split: characters that the manifest takes in the glue code, filled up. */
  split: { mapWidth: number } | undefined;
  /** Whether something imports it. Code that loads files by itself often names others besides, for other engines. */
  imported: boolean;
}

export interface Output {
  folder: string;
  /** Why names may not change; undefined where they may. */
  keepNames: string | undefined;
  /** Every file that the bundler wrote. */
  files: readonly OutputFile[];
  artifacts: readonly UntrainedArtifact[];
  /** Told what has become of the files, so that the bundler's own description of them can be changed. */
  update: (rewritten: Rewritten) => void;
}

export interface TrainingSetup extends TrainingCommand {
  pipeline: Pipeline;
}

/** What an artifact holds after training. */
export interface TrainedArtifact {
  source: SourceModule;
  contents: ArtifactContents<WasmInterface>;
  bytes: Uint8Array;
  manifest: ArtifactManifest;
}

/** Why the names of files are kept. */
export const SHARED_FOLDER = 'other outputs are written to the same folder';

/** Names of files that a message shows. */
const NAMES_SHOWN = 5;

/** For one plugin, which may write several outputs of the same modules: each artifact is trained once. */
export class Training {
  readonly #setup: TrainingSetup;
  /** By the build id of what it was before. */
  readonly #trained = new Map<string, TrainedArtifact>();
  /** Outputs with the artifacts that were not trained. */
  readonly #left: Output[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(setup: TrainingSetup) {
    this.#setup = setup;
  }

  /**
   * Runs the command, and trims the artifacts of an output to what was executed; one output after another. Whatever
   * goes wrong leaves the output as it was, with a warning: it runs all the same.
   *
   * @returns what the artifacts that were trimmed hold now
   */
  apply(output: Output): Promise<TrainedArtifact[]> {
    const applied = this.#last.then(async () => {
      try {
        return await this.#apply(output);
      } catch (error) {
        this.#setup.warn(`Training failed: ${messageOf(error)}. Native code holds all functions.`);
        return [];
      }
    });
    this.#last = applied;
    return applied;
  }

  async #apply(output: Output): Promise<TrainedArtifact[]> {
    const { artifacts, folder } = output;
    if (artifacts.some(({ manifest }) => !this.#trained.has(manifest.buildId))) await this.#train(artifacts);
    // An earlier output of the folder may use the same file, and was not trained.
    for (const earlier of this.#left.splice(0)) {
      if (earlier.folder === folder) await this.#rewrite({ ...earlier, keepNames: SHARED_FOLDER });
      else this.#left.push(earlier);
    }
    return this.#rewrite(output);
  }

  /** With what was trained by now. */
  async #rewrite(output: Output): Promise<TrainedArtifact[]> {
    const { folder, keepNames, files, artifacts, update } = output;
    const { warn } = this.#setup;
    const left = artifacts.filter(({ manifest }) => !this.#trained.has(manifest.buildId));
    if (left.length > 0) this.#left.push({ ...output, artifacts: left });
    const byName = new Map<string, TrainedArtifact>();
    const replacements: Replacement[] = [];
    for (const { name, manifest, split } of artifacts) {
      const trained = this.#trained.get(manifest.buildId);
      if (!trained) continue;
      byName.set(name, trained);
      replacements.push({
        name,
        contents: trained.bytes,
        text: {
          before: formatManifest(manifest, split?.mapWidth),
          after: formatManifest(trained.manifest, split?.mapWidth),
        },
      });
    }
    const rewritten = await rewriteOutput(folder, files, replacements, keepNames === undefined);
    update(rewritten);
    if (rewritten.kept.length > 0) warn(describeKept(rewritten.kept, keepNames));
    for (const name of rewritten.skipped) {
      byName.delete(name);
      warn(
        `${name} keeps native code for all functions: no glue code with its manifest was found, so nobody uses it, or another plugin ` +
          'has rewritten it. In that case use `wasm-precompile train` and the path of its result as `profile`.',
      );
    }
    return [...byName.values()];
  }

  async #train(artifacts: readonly UntrainedArtifact[]): Promise<void> {
    const { pipeline, warn } = this.#setup;
    const training = await runTraining(this.#setup);
    if (!training) return;
    const { profiles, runs } = training;
    for (const { source, contents: untrained, manifest, split, imported } of artifacts) {
      if (this.#trained.has(manifest.buildId)) continue;
      if (untrained.native.length === 0) continue;
      // What ran is what was built: a profile of anything else, of another module with the same name, says nothing.
      const sha256 = hashModule(source.bytes, source.module);
      const own = profiles.find((profile) => profile.sha256 === sha256);
      if (!own) {
        if (imported)
          warn(`${source.file}: the training did not load it. Its native code holds all functions.`);
        continue;
      }
      // One after another: each holds native code for all functions.
      // oxlint-disable-next-line no-await-in-loop
      const contents = await pipeline.trim(
        source,
        untrained,
        matchProfile(own, source.bytes).functions,
        runs,
        split !== undefined,
      );
      this.#trained.set(manifest.buildId, { source, contents, ...packArtifact(contents) });
    }
  }
}

function describeKept(
  names: readonly string[],
  why = 'it is not certain that all mentions of them are found',
): string {
  const more = names.length - NAMES_SHOWN;
  return (
    `Training has changed files whose names keep the hash of what they held before, since ${why}: ` +
    `${names.slice(0, NAMES_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}. The output is consistent; ` +
    'do not deploy it over an older one by new names alone, or leave the hash out of these names.'
  );
}
