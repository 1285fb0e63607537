/**
 * Training as a part of the build: runs the written output, and trims its artifacts to the functions that were
 * executed.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactContents } from '../../artifact/contents.ts';
import { packArtifact } from '../../artifact/pack.ts';
import { messageOf } from '../../common/error.ts';
import { writeAtomic } from '../../common/write-atomic.ts';
import { matchProfile } from '../../profile/match.ts';
import type { ArtifactManifest } from '../../runtime/shared/manifest.ts';
import type { TrainedModule } from '../../train/trained-modules.ts';
import { hashModule } from '../../wasm/binary/hash.ts';
import type { WasmInterface } from '../../wasm/binary/extern-types.ts';
import { formatManifest } from '../codegen/manifest-text.ts';
import { addDiscovered, isRegisterName } from '../codegen/register.ts';
import type { SourceModule } from '../compile/read-source.ts';
import {
  type OutputFile,
  type Replacement,
  type Rewritten,
  rewriteOutput,
} from '../output/rewrite-output.ts';
import type { UntrainedArtifact } from '../output/untrained-artifact.ts';
import { type CompiledModule, compileTrained, type CompileTrainedSetup } from './compile-trained.ts';
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

export interface TrainingSetup extends TrainingCommand, CompileTrainedSetup {}

/** The contents of an artifact after training. */
export interface TrainedArtifact {
  source: SourceModule;
  contents: ArtifactContents<WasmInterface>;
  bytes: Uint8Array;
  manifest: ArtifactManifest;
}

export interface Trained {
  /** The artifacts that were trimmed. */
  trimmed: readonly TrainedArtifact[];
  /** Those of modules that the command compiled itself, and that the build did not know. */
  discovered: readonly TrainedArtifact[];
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
  /** Modules that the command compiled, and that no artifact of the build holds. */
  #discovered: readonly CompiledModule[] | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(setup: TrainingSetup) {
    this.#setup = setup;
  }

  /**
   * Runs the command, and trims the artifacts of an output to the functions that were executed; one output after
   * another. Modules that the command compiled itself get artifacts, if the output has a register file. An error leaves
   * the output unchanged, with a warning: the output works without training.
   */
  apply(output: Output): Promise<Trained> {
    const applied = this.#last.then(async () => {
      try {
        return await this.#apply(output);
      } catch (error) {
        this.#setup.warn(`Training failed: ${messageOf(error)}. Native code holds all functions.`);
        return { trimmed: [], discovered: [] };
      }
    });
    this.#last = applied;
    return applied;
  }

  async #apply(output: Output): Promise<Trained> {
    const { artifacts, folder, files } = output;
    const register = files.find(({ name }) => isRegisterName(name))?.name;
    const isNew = artifacts.some(({ manifest }) => !this.#trained.has(manifest.buildId));
    if (isNew || (register !== undefined && !this.#discovered)) await this.#train(artifacts);
    // An earlier output of the folder may use the same file without having been trained.
    for (const earlier of this.#left.splice(0)) {
      if (earlier.folder === folder) await this.#rewrite({ ...earlier, keepNames: SHARED_FOLDER });
      else this.#left.push(earlier);
    }
    const trimmed = await this.#rewrite(output);
    const discovered = register === undefined ? [] : await this.#addTo(output, register);
    return { trimmed, discovered };
  }

  /** Writes the artifacts of discovered modules beside the register file, and adds them to its index. */
  async #addTo({ folder, update }: Output, name: string): Promise<readonly TrainedArtifact[]> {
    const { warn } = this.#setup;
    const register = join(folder, name);
    const discovered = this.#discovered ?? [];
    const files = discovered.map(({ fileName, bytes, manifest }) => ({ file: fileName, manifest, bytes }));
    const code = addDiscovered(await readFile(register, 'utf8'), files);
    if (code === undefined) {
      if (discovered.length === 0) return [];
      warn(
        `${register}: another tool has rewritten it, so modules that training found are compiled at startup.`,
      );
      return [];
    }
    await Promise.all(files.map(({ file, bytes }) => writeAtomic(join(folder, file), bytes)));
    const contents = Buffer.from(code);
    await writeAtomic(register, contents);
    update({ names: new Map(), contents: new Map([[name, contents]]), skipped: [], kept: [] });
    return discovered;
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
    this.#discovered ??= [];
    if (!executed) return;
    const known = new Set(artifacts.map(({ source }) => hashModule(source.bytes, source.module)));
    const others = executed.modules.filter(({ sha256 }) => !known.has(sha256));
    this.#discovered = await this.#compileDiscovered(others, executed);
    for (const artifact of artifacts) {
      if (this.#trained.has(artifact.manifest.buildId)) continue;
      if (artifact.contents.native.length === 0) continue;
      // One after another: each holds native code for all functions.
      // oxlint-disable-next-line no-await-in-loop
      await this.#trim(artifact, executed);
    }
  }

  async #compileDiscovered(
    modules: readonly TrainedModule[],
    { profiles }: Executed,
  ): Promise<CompiledModule[]> {
    const compiled: CompiledModule[] = [];
    for (const module of modules) {
      const profile = profiles.find(({ sha256 }) => sha256 === module.sha256);
      if (!profile) continue;
      // One after another, as above.
      // oxlint-disable-next-line no-await-in-loop
      const result = await compileTrained(module, profile, this.#setup);
      if (!('reason' in result)) compiled.push(result);
    }
    return compiled;
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
