/**
 * Updates the bundler's own description of an output after training has rewritten files on the disk. Later plugins and
 * the caller of the bundler receive this description.
 */
import { readInlineSourceMap } from '../../build/output/inline-source-maps.ts';
import type { Rewritten } from '../../build/output/rewrite-output.ts';

/** The description of a file by Rollup, Rolldown and Vite; each of them omits some fields. */
export interface BundleEntry {
  type: 'asset' | 'chunk';
  fileName: string;
  /** Assets only. */
  source?: string | Uint8Array;
  /** Only chunks have this field and those below. */
  code?: string;
  map?: { file?: string | undefined; sourcesContent?: (string | null)[] | undefined } | null;
  sourcemapFileName?: string | null;
  imports?: string[];
  dynamicImports?: string[];
  implicitlyLoadedBefore?: string[];
  referencedFiles?: string[];
  importedBindings?: Record<string, string[]>;
  viteMetadata?: { importedAssets?: Set<string>; importedCss?: Set<string> };
}

export type OutputBundle = Record<string, BundleEntry>;

const LISTS = ['imports', 'dynamicImports', 'implicitlyLoadedBefore', 'referencedFiles'] as const;

/**
 * Assigns only fields that have changed: Rolldown sends each assigned field to its Rust side, which accepts names,
 * code, maps, imports and sources.
 *
 * @param keysFollow whether the bundler derives the keys from the names (Rolldown, which refuses assigned keys)
 */
export function updateBundle(bundle: OutputBundle, rewritten: Rewritten, keysFollow: boolean): void {
  const entries = Object.values(bundle);
  for (const entry of entries) updateEntry(entry, rewritten);
  if (keysFollow || rewritten.names.size === 0) return;
  // All keys, so that they keep their order.
  for (const key of Object.keys(bundle)) delete bundle[key];
  for (const entry of entries) bundle[entry.fileName] = entry;
}

function updateEntry(entry: BundleEntry, { names, contents }: Rewritten): void {
  const before = entry.fileName;
  const renamed = (name: string) => names.get(name) ?? name;
  const bytes = contents.get(before);
  if (bytes && entry.type === 'asset') {
    entry.source = typeof entry.source === 'string' ? decode(bytes) : bytes;
  } else if (bytes) {
    const code = decode(bytes);
    entry.code = code;
    const mapFile = entry.sourcemapFileName ?? `${before}.map`;
    const mapBytes = contents.get(mapFile);
    updateMap(entry, mapBytes ? decode(mapBytes) : readInlineSourceMap(code));
  }
  if (names.has(before)) entry.fileName = renamed(before);
  if (entry.sourcemapFileName && names.has(entry.sourcemapFileName)) {
    entry.sourcemapFileName = renamed(entry.sourcemapFileName);
  }
  for (const list of LISTS) {
    const files = entry[list];
    if (files?.some((file) => names.has(file))) entry[list] = files.map(renamed);
  }
  const { importedBindings } = entry;
  if (importedBindings && Object.keys(importedBindings).some((file) => names.has(file))) {
    entry.importedBindings = Object.fromEntries(
      Object.entries(importedBindings).map(([file, bindings]) => [renamed(file), bindings]),
    );
  }
  for (const set of [entry.viteMetadata?.importedAssets, entry.viteMetadata?.importedCss]) {
    for (const file of set ?? []) {
      if (names.has(file) && set?.delete(file)) set.add(renamed(file));
    }
  }
}

/** Mappings stay valid: the code has as many characters as before. */
function updateMap(entry: BundleEntry, json: string | undefined): void {
  const { map } = entry;
  if (!map || json === undefined) return;
  const { file, sourcesContent } = JSON.parse(json) as NonNullable<BundleEntry['map']>;
  entry.map = Object.assign(map, { file, ...(sourcesContent && { sourcesContent }) });
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
