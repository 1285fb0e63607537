import { relative } from 'node:path';
import type { BundlerContext } from './bundler-context.ts';
import { type AssetFileNames, findAssetHash } from './file-names.ts';
import type { SourceModule } from './pipeline.ts';
import { type Outcome, Summary } from './summary.ts';
import type { UntrainedArtifact } from './training.ts';

type Untrained = Omit<UntrainedArtifact, 'name' | 'hash'>;

/** What was emitted in one run of the bundler, and what became of the modules in it. */
export class EnvironmentOutput {
  /** Assets, by reference. */
  #emitted = new Map<string, Uint8Array>();
  /** Artifacts that training may trim, by reference. */
  #untrained = new Map<string, Untrained>();
  #summary = new Summary();
  /** Names of files that were emitted a second time. */
  #restored = new Set<string>();

  /** A new run, in watch mode one of many. */
  start({ meta }: BundlerContext): void {
    this.#emitted.clear();
    this.#untrained.clear();
    if (!meta.watchMode) this.#summary.clear();
  }

  /** Emits an asset; gives the expression that the bundler replaces with its URL. */
  emit(context: BundlerContext, name: string, source: Uint8Array): string {
    return urlExpression(this.#emit(context, name, source));
  }

  /** The same for an artifact that training may trim when it is written. */
  emitUntrained(context: BundlerContext, bytes: Uint8Array, artifact: Untrained): string {
    const referenceId = this.#emit(context, assetName(artifact), bytes);
    this.#untrained.set(referenceId, artifact);
    return urlExpression(referenceId);
  }

  /** Artifacts that training may trim, under the names that they were written with. */
  untrained(context: BundlerContext, assetFileNames: AssetFileNames): UntrainedArtifact[] {
    // One file may have been emitted for several imports.
    const byName = new Map<string, UntrainedArtifact>();
    for (const [referenceId, source] of this.#emitted) {
      const artifact = this.#untrained.get(referenceId);
      if (!artifact) continue;
      const name = fileNameOf(context, referenceId);
      if (name === undefined) continue;
      const hash = findAssetHash(name, assetName(artifact), source, assetFileNames);
      byName.set(name, { name, hash, ...artifact });
    }
    return [...byName.values()];
  }

  has(referenceId: string): boolean {
    return this.#emitted.has(referenceId);
  }

  /** Emits again what is no longer in the bundle. */
  restore(context: BundlerContext, bundle: Readonly<Record<string, unknown>>): void {
    for (const [referenceId, source] of this.#emitted) {
      const fileName = fileNameOf(context, referenceId);
      if (fileName === undefined || fileName in bundle) continue;
      this.#restored.add(fileName);
      context.emitFile({ type: 'asset', fileName, source });
    }
  }

  /** Whether a message names a file that was emitted again. */
  isRestored(message: string): boolean {
    return [...this.#restored].some((fileName) => message.includes(fileName));
  }

  note({ file, name, sha256 }: Pick<SourceModule, 'file' | 'name' | 'sha256'>, outcome: Outcome): void {
    this.#summary.add(file, { name, sha256, outcome });
  }

  /** A JavaScript module was found that loads a wasm file by itself. Both are absolute paths. */
  noteLoader(file: string, loader: string): void {
    const [, inPackage] = /^.*\/node_modules\/(.+)$/.exec(loader) ?? [];
    this.#summary.addLoader(file, inPackage ?? relative(process.cwd(), loader));
  }

  /** What became of the modules, in one line; in watch mode of those that are new. */
  summarize(): string | undefined {
    return this.#summary.tell();
  }

  #emit(context: BundlerContext, name: string, source: Uint8Array): string {
    const referenceId = context.emitFile({ type: 'asset', name, source });
    this.#emitted.set(referenceId, source);
    return referenceId;
  }
}

/** What an artifact is emitted as. */
function assetName({ source }: Untrained): string {
  return `${source.name}.elf`;
}

/** Undefined for what another run of the bundler has emitted, with which this one shares the plugin. */
function fileNameOf(context: BundlerContext, referenceId: string): string | undefined {
  try {
    return context.getFileName(referenceId);
  } catch {
    return undefined;
  }
}

function urlExpression(referenceId: string): string {
  return `import.meta.ROLLUP_FILE_URL_${referenceId}`;
}
