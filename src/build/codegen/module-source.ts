/** How generated code gets a module. URLs are JavaScript expressions. */
import type { ByteRange, FetchOptions } from '../../runtime/browser/load.ts';
import type { ArtifactOptions } from '../../runtime/node/index.ts';
import type { ArtifactManifest } from '../../runtime/shared/manifest.ts';
import type { CompileOptions } from '../../runtime/shared/module-handle.ts';
import type { ResolvedRecompile } from '../options/resolve.ts';

/** What runs the output. */
export type Platform = 'node' | 'browser';

export type ModuleSource =
  | ArtifactSource
  | FetchedSource
  | SplitSource
  /** A file that the bundler gives a URL to when it is imported by this request. */
  | { kind: 'url-import'; request: string; options: CompileOptions }
  | { kind: 'inline'; base64: string; options: CompileOptions };

/** An artifact, for Node. */
export interface ArtifactSource {
  kind: 'artifact';
  url: string;
  manifest: ArtifactManifest;
  /** If the module is split, or may be after training: the number of characters that its manifest then takes. */
  split: { manifestWidth: number } | undefined;
  options: ArtifactOptions;
  /** The prebuilt binaries that the runtime may load. */
  addons: [key: string, url: string, checksum: number][];
  /** Undefined if the option `recompile` is off. The programs are URLs, as expressions. */
  recompile: { options: ResolvedRecompile; host: string; compiler: string } | undefined;
}

/** A file, or a part of one, that browsers fetch. */
export type FetchedSource =
  | { kind: 'file'; url: string; options: FetchOptions }
  /** A byte range of an ELF file. */
  | { kind: 'range'; url: string; range: ByteRange; options: FetchOptions }
  /** A compressed byte range of an ELF file; `plain` is the URL of the module as a file of its own. */
  | { kind: 'inflate'; url: string; range: ByteRange; plain: string; options: FetchOptions };

/** A split module, for browsers: the primary module loads at startup, the secondary modules later. */
export interface SplitSource {
  kind: 'split';
  url: string;
  primary: FetchedSource;
  secondaries: SecondarySource[];
  /** The module before it was split. */
  original: FetchedSource;
  /** Whether calls that block on a secondary module print a warning to the console. */
  warn: boolean;
}

export interface SecondarySource {
  source: FetchedSource;
  /** In base64, if synchronous loads must compare it. */
  sha256: string | undefined;
}
