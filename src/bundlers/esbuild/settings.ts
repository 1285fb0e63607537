/** What differs between bundlers with esbuild's plugin interface. */
import type { BuildResult, ImportKind, Loader } from 'esbuild';
import type { BundlerContext, WrittenOutput } from '../../build/bundler-context.ts';
import type { Platform } from '../../build/codegen/module-source.ts';
import type { GeneratedOutput } from '../../build/output/generated-output.ts';

export interface Settings {
  platform: Platform | undefined;
  format: string;
  publicPath: string | undefined;
  /** Absolute path; undefined if nothing is written. */
  folder: string | undefined;
  /** The folder that paths in ids are relative to; undefined if the bundler needs absolute paths in ids. */
  root: string | undefined;
  /** Returns the expression for a path that is relative to the running file, in CommonJS. */
  commonJsPath: (file: string) => string;
  /** The expression for the running file's URL; undefined for `import.meta.url`. */
  runningFile: string | undefined;
  /** The loaders that the user has set, by file extension. */
  loaders: Readonly<Record<string, Loader>>;
  /** Whether the bundler writes source maps, and combines them with those in modules. */
  sourceMaps: boolean;
  info: (message: string) => void;
  /** Prints a warning, for bundlers whose hooks can return neither warnings nor errors; else undefined. */
  warn?: (message: string) => void;
  resolver: (kind: ImportKind) => BundlerContext['resolve'];
  /** Describes the output, by the bundler's result and the emitted files. */
  written: (
    result: BuildResult,
    emitted: ReadonlyMap<string, Uint8Array>,
  ) => Pick<WrittenOutput, 'files' | 'find'>;
  /** Describes the output for the register file, or says why it cannot have one. */
  generated: (result: BuildResult) => GeneratedOutput | string;
}

/** The namespace of emitted files: modules for which the bundler writes a file. */
export const FILE_NAMESPACE = 'wasm-precompile-file';

/** Why an output without a folder has no register file. */
export const NOT_WRITTEN = 'the bundler does not say where the output goes';

/** Marks requests that this plugin makes itself, so that it does not handle them again. */
export const OWN_REQUEST = Symbol('wasm-precompile request');
