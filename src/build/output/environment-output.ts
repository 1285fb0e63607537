import { relative } from 'node:path';
import type { BundlerContext, WrittenOutput } from '../bundler-context.ts';
import type { SourceModule } from '../compile/read-source.ts';
import { type Outcome, Summary } from './summary.ts';
import type { UntrainedArtifact } from './untrained-artifact.ts';

type Untrained = Omit<UntrainedArtifact, 'name' | 'hash'>;

/** The files that one run of the bundler emits for one environment, and how it ships each module. */
export class EnvironmentOutput {
  /** Artifacts that training may trim, by the ids of their files. */
  #untrained = new Map<string, Untrained>();
  #summary = new Summary();
  #hasOthers = false;
  /** Ids of emitted files, by their URL expressions. */
  #ids = new Map<string, string>();
  /** URL expressions of the files that pages load, by the id of the generated module. */
  #webUrls = new Map<string, string>();

  /** Begins a run; in watch mode, one of many. */
  start({ watchMode }: BundlerContext): void {
    this.#untrained.clear();
    this.#webUrls.clear();
    this.#ids.clear();
    if (!watchMode) this.#summary.clear();
  }

  /** Emits a file; returns the JavaScript expression for its URL. */
  emit(context: BundlerContext, name: string, source: Uint8Array): string {
    const { id, url } = context.emit(name, source);
    this.#ids.set(url, id);
    return url;
  }

  /** Emits an artifact that training may trim after it is written; returns the JavaScript expression for its URL. */
  emitUntrained(context: BundlerContext, bytes: Uint8Array, artifact: Untrained): string {
    const { id, url } = context.emit(`${artifact.source.name}.elf`, bytes);
    this.#ids.set(url, id);
    this.#untrained.set(id, combine(this.#untrained.get(id), artifact));
    return url;
  }

  /** The id of an emitted file. @param url expression, as `emit` returns it */
  idOf(url: string): string {
    return this.#ids.get(url) ?? '';
  }

  /** Artifacts that training may trim, by the names of their written files. */
  untrained(find: WrittenOutput['find']): UntrainedArtifact[] {
    // Several imports may have emitted one file.
    const byName = new Map<string, UntrainedArtifact>();
    for (const [id, artifact] of this.#untrained) {
      const file = find(id);
      if (file) byName.set(file.name, { ...file, ...combine(byName.get(file.name), artifact) });
    }
    return [...byName.values()];
  }

  /** @param url expression, as `emit` returns it */
  noteWebUrl(id: string, url: string): void {
    this.#webUrls.set(id, url);
  }

  /** The URL expression of the file that a generated module loads in a page; undefined for other modules. */
  webUrl(id: string): string | undefined {
    return this.#webUrls.get(id);
  }

  note({ file, name, sha256 }: Pick<SourceModule, 'file' | 'name' | 'sha256'>, outcome: Outcome): void {
    this.#summary.add(file, { name, sha256, outcome });
  }

  /** Records a JavaScript module that loads a wasm file itself. Both are absolute paths. */
  noteLoadingScript(file: string, script: string): void {
    const [, inPackage] = /^.*\/node_modules\/(.+)$/.exec(script) ?? [];
    this.#summary.addScript(file, inPackage ?? relative(process.cwd(), script));
  }

  /** Records that a training run has found a module. */
  noteDiscovered({ file }: Pick<SourceModule, 'file'>): void {
    this.#summary.addScript(file, 'the training run');
  }

  /** Records that another message names wasm files of this output. */
  noteOthers(): void {
    this.#hasOthers = true;
  }

  /** Whether no wasm file was found. */
  get isEmpty(): boolean {
    return this.#summary.isEmpty && !this.#hasOthers;
  }

  /** One line that says how each module was shipped; in watch mode, each module that has changed. */
  summarize(): string | undefined {
    return this.#summary.describe();
  }
}

/** One artifact for several imports. */
function combine(known: Untrained | undefined, artifact: Untrained): Untrained {
  return { ...artifact, imported: artifact.imported || known?.imported === true };
}
