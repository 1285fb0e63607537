/** What Rollup, Rolldown and Vite pass to hooks, beyond unplugin's common part. */
import type { Program } from 'estree';
import type { Resolved } from '../../build/bundler-context.ts';
import type { Environment } from '../vite/environment.ts';

/** `this` of a hook. */
export interface RollupContext {
  addWatchFile(file: string): void;
  warn(message: string): void;
  info(message: string): void;
  resolve(
    source: string,
    importer: string | undefined,
    options: { skipSelf: boolean },
  ): Promise<Resolved | null>;
  emitFile(
    file:
      | { type: 'asset'; name?: string; fileName?: string; source: Uint8Array }
      | { type: 'chunk'; id: string; name: string; preserveSignature: false },
  ): string;
  getFileName(referenceId: string): string;
  getModuleIds(): Iterable<string>;
  getModuleInfo(id: string): {
    code?: string | null;
    isExternal?: boolean;
    importedIds: readonly string[];
    dynamicallyImportedIds: readonly string[];
  } | null;
  /** @param options Rolldown only */
  parse(code: string, options?: { lang?: string }): Program;
  meta: { watchMode: boolean; rolldownVersion?: string | undefined };
  /** Vite only. */
  environment?: Environment;
}

/** The parameter of `resolveFileUrl` hooks. */
export interface FileUrl {
  referenceId: string;
  /** From the chunk to the file. */
  relativePath: string;
  format: string;
  fileName: string;
  chunkId: string;
}
