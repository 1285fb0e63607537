import { relative } from 'node:path';
import type { BundlerContext, WrittenOutput } from '../bundler-context.ts';
import type { SourceModule } from '../compile/pipeline.ts';
import { type Outcome, Summary } from './summary.ts';
import type { UntrainedArtifact } from './training.ts';

type Untrained = Omit<UntrainedArtifact, 'name' | 'hash'>;

/** What was emitted in one run of the bundler, and what became of the modules in it. */
export class EnvironmentOutput {
  /** Artifacts that training may trim, by the ids of their files. */
  #untrained = new Map<string, Untrained>();
  #summary = new Summary();
  /** URL expressions of what pages load, by the id of the glue code. */
  #webUrls = new Map<string, string>();

  /** A new run, in watch mode one of many. */
  start({ watchMode }: BundlerContext): void {
    this.#untrained.clear();
    this.#webUrls.clear();
    if (!watchMode) this.#summary.clear();
  }

  /** Emits a file; gives the JavaScript expression for its URL. */
  emit(context: BundlerContext, name: string, source: Uint8Array): string {
    return context.emit(name, source).url;
  }

  /** The same for an artifact that training may trim when it is written. */
  emitUntrained(context: BundlerContext, bytes: Uint8Array, artifact: Untrained): string {
    const { id, url } = context.emit(`${artifact.source.name}.elf`, bytes);
    this.#untrained.set(id, together(this.#untrained.get(id), artifact));
    return url;
  }

  /** Artifacts that training may trim, under the names that they were written with. */
  untrained(find: WrittenOutput['find']): UntrainedArtifact[] {
    // One file may have been emitted for several imports.
    const byName = new Map<string, UntrainedArtifact>();
    for (const [id, artifact] of this.#untrained) {
      const file = find(id);
      if (file) byName.set(file.name, { ...file, ...together(byName.get(file.name), artifact) });
    }
    return [...byName.values()];
  }

  /** @param url expression, as `emit` gives it */
  noteWebUrl(id: string, url: string): void {
    this.#webUrls.set(id, url);
  }

  /** What glue code loads for a page, as an expression; undefined where it is none that does. */
  webUrl(id: string): string | undefined {
    return this.#webUrls.get(id);
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
}

/** What is emitted for several uses. */
function together(known: Untrained | undefined, artifact: Untrained): Untrained {
  return { ...artifact, imported: artifact.imported || known?.imported === true };
}
