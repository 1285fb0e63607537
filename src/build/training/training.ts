/**
 * Training as a part of the build: runs the written output, and trims its artifacts to the functions that were
 * executed.
 */
import type { ArtifactContents } from '../../artifact/contents.ts';
import { packArtifact } from '../../artifact/pack.ts';
import { messageOf } from '../../common/error.ts';
import { matchProfile } from '../../profile/match.ts';
import type { ArtifactManifest } from '../../runtime/shared/manifest.ts';
import { hashModule } from '../../wasm/binary/hash.ts';
import type { WasmInterface } from '../../wasm/binary/extern-types.ts';
import { formatManifest } from '../codegen/manifest-text.ts';
import type { Pipeline } from '../compile/pipeline.ts';
import type { SourceModule } from '../compile/read-source.ts';
import {
  type OutputFile,
  type Replacement,
  type Rewritten,
  rewriteOutput,
} from '../output/rewrite-output.ts';
import type { UntrainedArtifact } from '../output/untrained-artifact.ts';
import { type Executed, runTraining, type TrainingCommand } from './run-training.ts';

export interface Output {
  folder: string;
  /** Why file names may not change; undefined if they may. */
  keepNames: string | undefined;
  /** Every file that the bundler wrote. */
  files: readonly OutputFile[];
  artifacts: readonly UntrainedArtifact[];
  /** Receives the changes to the files, so that the bundler's description of them can follow. */
  update: (rewritten: Rewritten) => void;
}

export interface TrainingSetup extends TrainingCommand {
  pipeline: Pipeline;
}

/** The contents of an artifact after training. */
export interface TrainedArtifact {
  source: SourceModule;
  contents: ArtifactContents<WasmInterface>;
  bytes: Uint8Array;
  manifest: ArtifactManifest;
}

/** A reason to keep file names. */
export const SHARED_FOLDER = 'other outputs are written to the same folder';

/** Names of files that a message shows. */
const NAMES_SHOWN = 5;

/** Serves one plugin, which may write several outputs of the same modules: each artifact is trained once. */
export class Training {
  readonly #setup: TrainingSetup;
  /** By the build id that the artifact had before training. */
  readonly #trained = new Map<string, TrainedArtifact>();
  /** Outputs with their artifacts that are not trained yet. */
  readonly #left: Output[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(setup: TrainingSetup) {
    this.#setup = setup;
  }

  /**
   * Runs the command, and trims the artifacts of an output to the functions that were executed; one output after
   * another. An error leaves the output unchanged, with a warning: the output works without training.
   *
   * @returns the artifacts that were trimmed
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
    // An earlier output of the folder may use the same file without having been trained.
    for (const earlier of this.#left.splice(0)) {
      if (earlier.folder === folder) await this.#rewrite({ ...earlier, keepNames: SHARED_FOLDER });
      else this.#left.push(earlier);
    }
    return this.#rewrite(output);
  }

  /** Writes the artifacts that are trained so far. */
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
          before: formatManifest(manifest, split?.manifestWidth),
          after: formatManifest(trained.manifest, split?.manifestWidth),
        },
      });
    }
    const rewritten = await rewriteOutput(folder, files, replacements, keepNames === undefined);
    update(rewritten);
    if (rewritten.kept.length > 0) warn(describeKept(rewritten.kept, keepNames));
    for (const name of rewritten.skipped) {
      byName.delete(name);
      warn(
        `${name} keeps native code for all functions: no generated code with its manifest was found. Either no code ` +
          'uses the artifact, or another plugin has rewritten that code. In that case run `wasm-precompile train`, ' +
          'and set `profile` to the path of its result.',
      );
    }
    return [...byName.values()];
  }

  async #train(artifacts: readonly UntrainedArtifact[]): Promise<void> {
    const executed = await runTraining(this.#setup);
    if (!executed) return;
    for (const artifact of artifacts) {
      if (this.#trained.has(artifact.manifest.buildId)) continue;
      if (artifact.contents.native.length === 0) continue;
      // One after another: each holds native code for all functions.
      // oxlint-disable-next-line no-await-in-loop
      await this.#trim(artifact, executed);
    }
  }

  async #trim(artifact: UntrainedArtifact, { profiles, runs }: Executed): Promise<void> {
    const { source, contents: untrained, manifest, split, imported } = artifact;
    const { pipeline, warn } = this.#setup;
    // Matched by hash only: the run executed this very module, so a profile of another hash belongs to another module.
    const sha256 = hashModule(source.bytes, source.module);
    const profile = profiles.find((each) => each.sha256 === sha256);
    if (!profile) {
      if (imported)
        warn(`${source.file}: the training did not load it. Its native code holds all functions.`);
      return;
    }
    const keep = matchProfile(profile, source.bytes).functions;
    const contents = await pipeline.trim(source, untrained, keep, runs, split !== undefined);
    this.#trained.set(manifest.buildId, { source, contents, ...packArtifact(contents) });
  }
}

function describeKept(
  names: readonly string[],
  why = 'not all references to them may have been found',
): string {
  const more = names.length - NAMES_SHOWN;
  return (
    `Training has changed files whose names keep the hash of the contents from before, since ${why}: ` +
    `${names.slice(0, NAMES_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}. The output is consistent. ` +
    'Do not deploy it over an older output by copying only new names, or leave the hash out of these names.'
  );
}
