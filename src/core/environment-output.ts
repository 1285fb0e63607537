import type { BundlerContext } from './bundler-context.ts';
import { type AssetFileNames, findAssetHash } from './file-names.ts';
import type { Platform } from './glue.ts';
import type { SourceModule } from './pipeline.ts';
import { type Outcome, Summary } from './summary.ts';
import type { UntrainedArtifact } from './training.ts';

type Untrained = Omit<UntrainedArtifact, 'name' | 'hash'>;

/** What was emitted in one run of the bundler, and what became of the modules in it. */
export class EnvironmentOutput {
  readonly platform: Platform;
  /** Assets, by reference. */
  #emitted = new Map<string, Uint8Array>();
  /** Artifacts that training may trim, by reference. */
  #untrained = new Map<string, Untrained>();
  #summary = new Summary();
  /** URL expressions of what a page loads, by the id of the glue code. */
  #loaders = new Map<string, string>();
  /** Names of assets, by reference, of those that a chunk refers to. */
  #names = new Map<string, string>();
  /** Names of files that were emitted a second time. */
  #restored = new Set<string>();

  constructor(platform: Platform) {
    this.platform = platform;
  }

  /** A new run, in watch mode one of many. */
  start({ meta }: BundlerContext): void {
    this.#emitted.clear();
    this.#untrained.clear();
    this.#loaders.clear();
    this.#names.clear();
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

  /** @param url expression, as `emit` gives it */
  noteLoader(id: string, url: string): void {
    this.#loaders.set(id, url);
  }

  hasLoader(id: string): boolean {
    return this.#loaders.has(id);
  }

  noteName(referenceId: string, fileName: string): void {
    this.#names.set(referenceId, fileName);
  }

  /** Name of what a loader fetches. */
  fileOfLoader(id: string): string | undefined {
    const url = this.#loaders.get(id);
    return url === undefined ? undefined : this.#names.get(referenceOf(url));
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

const URL_EXPRESSION = 'import.meta.ROLLUP_FILE_URL_';

function urlExpression(referenceId: string): string {
  return `${URL_EXPRESSION}${referenceId}`;
}

function referenceOf(url: string): string {
  return url.slice(URL_EXPRESSION.length);
}
