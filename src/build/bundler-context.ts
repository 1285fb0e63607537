/** What a bundler is for `core/`: each family of bundlers provides it in its own way (src/bundlers/). */
import type { Platform } from './codegen/generate.ts';
import type { OutputFile, Rewritten } from './output/rewrite-output.ts';

/** A file that is added to the output. */
export interface EmittedFile {
  /** By which `WrittenOutput.find` knows it. */
  id: string;
  /** A JavaScript expression in the glue code: in Node a file URL, in browsers what `fetch` takes. */
  url: string;
}

/** One hook's view of the bundler. */
export interface BundlerContext {
  addWatchFile(file: string): void;
  warn(message: string): void;
  info(message: string): void;
  /** Where a request leads, by the bundler's own rules and without us; null where it does not know. */
  resolve(request: string, importer: string | undefined): Promise<Resolved | null>;
  /** The bundler makes the file's name of this one, and leaves out what it has already. */
  emit(name: string, source: Uint8Array): EmittedFile;
  /** Makes a module that is loaded anyway a chunk of its own; undefined where the bundler has none to give. */
  emitChunk?: ((id: string, name: string) => void) | undefined;
  /** A JavaScript expression in modules of ours for Node: the running file's URL. Default: `import.meta.url`. */
  runningFile?: string | undefined;
  watchMode: boolean;
  /** What runs the output (`Bundle.platform`). */
  platform: Platform;
  /** The name of Vite's environment; empty elsewhere. */
  environment: string;
}

export interface Resolved {
  id: string;
  external: boolean | 'absolute' | 'relative';
}

/** An output that the bundler has written. */
export interface WrittenOutput {
  /** Absolute path; undefined where the bundler does not say, or has written nothing. */
  folder: string | undefined;
  /** Every file of the output; only asked for where one of them may change. */
  files: () => OutputFile[];
  /** A file that was emitted, by its id; undefined where it is not in this output. */
  find: (id: string) => OutputFile | undefined;
  /** Why names may not change; undefined where they may. */
  keepNames: string | undefined;
  /** Told what has become of the files, so that the bundler's own description of them can be changed. */
  update: (rewritten: Rewritten) => void;
}

/** What the bundler decides; known once its configuration is resolved. */
export interface BundlerSettings {
  /** Whether this is a dev server, which never precompiles. */
  dev: boolean;
  /** Why no module gets native code; undefined where they do. */
  plain?: string;
  /** The size in bytes below which the bundler inlines this file. */
  inlineLimit: (file: string, wire: Uint8Array) => number;
  /** Whether the bundler gives URLs to files imported as `?url`, with its own base and file names. */
  urlImports: boolean;
  /** Vite only. */
  web?: PageSettings;
}

/** What Vite decides of a client build. */
export interface PageSettings {
  /** Whether the output is a worker's. */
  worker: boolean;
  /** Whether the output is for those who develop it. */
  development: boolean;
  /** Whether loading may begin early: there is a page, and chunks. */
  early: boolean;
  /** Which chunks an HTML file may ask for early (`build.modulePreload`), of those that its entry imports lazily. */
  preloaded: (fileNames: readonly string[], html: string, entry: string) => readonly string[];
  /** The URL of an emitted file in an HTML file; paths relative to the output. */
  urlInHtml: (fileName: string, html: string) => string;
  /** The same in a chunk, as an expression; undefined where it is relative to the chunk. */
  urlInChunk: (fileName: string, chunk: string) => string | undefined;
}
