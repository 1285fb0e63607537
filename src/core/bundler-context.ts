/** The bundlers' side of the hooks. */
import type { UnpluginBuildContext, UnpluginContext } from 'unplugin';
import type { Platform } from './glue.ts';
import type { AssetFileNames, SourceMapFileNames } from './file-names.ts';

/** What the hooks of Vite, Rollup and Rolldown have beyond unplugin's common part. */
export interface BundlerContext
  extends Pick<UnpluginBuildContext, 'addWatchFile'>, Pick<UnpluginContext, 'warn'> {
  resolve(
    source: string,
    importer: string | undefined,
    options: { skipSelf: boolean },
  ): Promise<{ id: string; external: boolean | 'absolute' | 'relative' } | null>;
  emitFile(
    file:
      | { type: 'asset'; name?: string; fileName?: string; source: Uint8Array }
      | { type: 'chunk'; id: string; name: string; preserveSignature: false },
  ): string;
  getFileName(referenceId: string): string;
  info(message: string): void;
  meta: { watchMode: boolean; rolldownVersion?: string | undefined };
  /** Vite's environment. */
  environment?: { name: string; config: { consumer: 'client' | 'server' } };
}

/** The options of an output that are looked at. */
export interface OutputSettings {
  dir?: string | undefined;
  file?: string | undefined;
  format?: string | undefined;
  assetFileNames: AssetFileNames;
  sourcemapFileNames?: SourceMapFileNames;
}

/** What the bundler decides; known once its configuration is resolved. */
export interface BundlerSettings {
  /** What runs the output; undefined where the bundler does not say. */
  platform?: Platform | undefined;
  /** Whether this is a dev server, which never precompiles. */
  dev: boolean;
  /** The size in bytes below which the bundler inlines this file. */
  inlineLimit: (file: string, wire: Uint8Array) => number;
  /** Whether the bundler gives URLs to files imported as `?url`, with its own base and file names. */
  urlImports: boolean;
  /** Vite only. */
  web?: WebSettings;
}

/** What Vite decides of a client build. */
export interface WebSettings {
  /** Whether the output is a worker's. */
  worker: boolean;
  /** Whether loading may begin early: there is a page, and chunks. */
  early: boolean;
  /** The URL of an emitted file in an HTML file; paths relative to the output. */
  urlInHtml: (fileName: string, html: string) => string;
  /** The same in a chunk, as an expression; undefined where it is relative to the chunk. */
  urlInChunk: (fileName: string, chunk: string) => string | undefined;
}
