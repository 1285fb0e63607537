/** Files that the plugin has emitted. */
import type { EmittedFile } from '../../build/bundler-context.ts';
import type { Platform } from '../../build/codegen/module-source.ts';
import type { FileUrl, RollupContext } from './context.ts';
import { urlExpression } from './file-url.ts';

export interface EmittedAsset {
  name: string;
  source: Uint8Array;
  /** What loads the file. */
  platform: Platform;
}

/** The files that one run of the bundler has emitted. */
export class EmittedAssets {
  /** By Vite's environment, then by reference. */
  readonly #emitted = new Map<string, Map<string, EmittedAsset>>();
  /** Names of files that were emitted a second time. */
  readonly #restored = new Set<string>();
  /** By URL expression: the names of files that a chunk refers to. */
  readonly #names = new Map<string, string>();

  /** A run of the bundler starts: in watch mode one of many. */
  start(context: RollupContext): void {
    this.#of(context).clear();
  }

  emit(context: RollupContext, name: string, source: Uint8Array, platform: Platform): EmittedFile {
    const id = context.emitFile({ type: 'asset', name, source });
    this.#of(context).set(id, { name, source, platform });
    return { id, url: urlExpression(id) };
  }

  noteName({ referenceId, fileName }: FileUrl): void {
    this.#names.set(urlExpression(referenceId), fileName);
  }

  /** @param url the expression from `emit` */
  nameOf(url: string): string | undefined {
    return this.#names.get(url);
  }

  get(context: RollupContext, referenceId: string): EmittedAsset | undefined {
    return this.#of(context).get(referenceId);
  }

  /** Finds a file in all environments. */
  find(referenceId: string): EmittedAsset | undefined {
    for (const emitted of this.#emitted.values()) {
      const asset = emitted.get(referenceId);
      if (asset) return asset;
    }
    return undefined;
  }

  /** Emits again what another plugin removed from the bundle: Vite drops every asset of a server build. */
  restore(context: RollupContext, bundle: Readonly<Record<string, unknown>>): void {
    for (const [referenceId, { source }] of this.#of(context)) {
      const fileName = fileNameOf(context, referenceId);
      if (fileName === undefined || fileName in bundle) continue;
      this.#restored.add(fileName);
      context.emitFile({ type: 'asset', fileName, source });
    }
  }

  /** Whether a bundler's log is about a file that was emitted twice on purpose. */
  isExpected({ code, message }: { code?: string | undefined; message: string }): boolean {
    return (
      code === 'FILE_NAME_CONFLICT' && [...this.#restored].some((fileName) => message.includes(fileName))
    );
  }

  #of({ environment }: RollupContext): Map<string, EmittedAsset> {
    const name = environment?.name ?? '';
    const emitted = this.#emitted.get(name) ?? new Map<string, EmittedAsset>();
    this.#emitted.set(name, emitted);
    return emitted;
  }
}

/** Returns a file's name; undefined if it was emitted by another run of the bundler that shares the plugin. */
export function fileNameOf(context: RollupContext, referenceId: string): string | undefined {
  try {
    return context.getFileName(referenceId);
  } catch {
    return undefined;
  }
}
