/** The bundler's side of a build, in terms that all bundlers share: each family implements it in `src/bundlers`. */
import type { Platform } from './codegen/module-source.ts';
import type { OutputFile, Rewritten } from './output/rewrite-output.ts';

/** A file that is added to the output. */
export interface EmittedFile {
  /** Identifies the file in `WrittenOutput.find`. */
  id: string;
  /** A JavaScript expression in generated code: in Node a file URL, in browsers an argument for `fetch`. */
  url: string;
}

/** The bundler during one hook. */
export interface BundlerContext {
  addWatchFile(file: string): void;
  warn(message: string): void;
  info: (message: string) => void;
  /** Resolves a request by the bundler's own rules, without this plugin; null if that fails. */
  resolve(request: string, importer: string | undefined): Promise<Resolved | null>;
  /** Adds a file. The bundler derives its name from this one, and emits files with the same contents once. */
  emit(name: string, source: Uint8Array): EmittedFile;
  /** Makes a module that is loaded anyway a chunk of its own; undefined if the bundler cannot. */
  emitChunk?: ((id: string, name: string) => void) | undefined;
  /** A JavaScript expression in generated code for Node: the running file's URL. Default: `import.meta.url`. */
  runningFile?: string | undefined;
  watchMode: boolean;
  /** What runs the output, from `WasmPlugin.platform`. */
  platform: Platform;
  /** The name of the environment that is built, for bundlers that build several; else empty. */
  environment: string;
}

export interface Resolved {
  id: string;
  external: boolean | 'absolute' | 'relative';
}

/** An output that the bundler has written. */
export interface WrittenOutput {
  /** Absolute path; undefined if the bundler does not say, or has written nothing. */
  folder: string | undefined;
  /** Lists every file of the output; called only if one of them may change. */
  files: () => OutputFile[];
  /** Finds an emitted file by its id; undefined if it is not in this output. */
  find: (id: string) => OutputFile | undefined;
  /** Why names may not change, as a clause; undefined if they may. */
  keepNames: string | undefined;
  /** Updates the bundler's own description of the files after some have been rewritten. */
  update: (rewritten: Rewritten) => void;
}

/** What the bundler decides; known once its configuration is resolved. */
export interface BundlerSettings {
  /** Whether this is a dev server, which never precompiles. */
  dev: boolean;
  /** Why no module gets native code; undefined if modules may. */
  plain?: string;
  /** Returns the size in bytes below which the bundler inlines this file. */
  inlineLimit: (file: string, wire: Uint8Array) => number;
  /** Whether the bundler gives URLs to files imported as `?url`, with its own base and file names. */
  urlImports: boolean;
  /** Whether the output is a library. It must not change the process of its users. */
  library?: boolean;
  /** Undefined if the bundler builds no pages. */
  web?: PageSettings;
}

/** What the bundler decides of a build for pages. */
export interface PageSettings {
  /** Whether the output is a worker's. */
  worker: boolean;
  /** Whether the output is for development. */
  development: boolean;
  /** Whether loading may begin early: there is a page, and the output may have several chunks. */
  early: boolean;
  /** Returns which of these lazily imported chunks an HTML file may preload. */
  preloaded: (fileNames: readonly string[], html: string, entry: string) => readonly string[];
  /** Returns the URL of an emitted file in an HTML file; both paths are relative to the output. */
  urlInHtml: (fileName: string, html: string) => string;
  /** Returns the URL of an emitted file in a chunk, as an expression; undefined if it is relative to the chunk. */
  urlInChunk: (fileName: string, chunk: string) => string | undefined;
}
