/** The bundlers' side of the hooks. */
import type { Program } from 'estree';
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
  /** @param options Rolldown only */
  parse(code: string, options?: { lang?: string }): Program;
  emitFile(file: { type: 'asset'; name?: string; fileName?: string; source: Uint8Array }): string;
  getFileName(referenceId: string): string;
  info(message: string): void;
  meta: { watchMode: boolean; rolldownVersion?: string | undefined };
  /** Vite's environment. */
  environment?: {
    name: string;
    config: {
      consumer: 'client' | 'server';
      ssr?: { target?: 'node' | 'webworker' | undefined };
      resolve?: { conditions?: readonly string[] };
    };
  };
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
}
