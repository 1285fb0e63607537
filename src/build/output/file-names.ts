/** Where the hash is in the name of an output file. */
import type { HashPlace, OutputFile } from './rewrite-output.ts';

/** What an asset is named by, as Rollup and Rolldown ask for it. */
export interface NamedAsset {
  type: 'asset';
  name: string;
  names: string[];
  originalFileName: null;
  originalFileNames: string[];
  source: Uint8Array;
}

/** `output.assetFileNames`. */
export type AssetFileNames = string | ((asset: NamedAsset) => string);

/** A file of the output, as Rollup and Rolldown describe it. */
export type WrittenFile =
  | { type: 'asset'; fileName: string }
  | { type: 'chunk'; fileName: string; preliminaryFileName: string; sourcemapFileName?: string | null };

/** Every file of an output, with the hash in its name. That of an asset is not known: others have emitted it. */
export function findOutputFiles(
  written: readonly WrittenFile[],
  sourceMapFileNames: SourceMapFileNames,
): OutputFile[] {
  const chunks = written.filter((file) => file.type === 'chunk');
  const byMap = new Map(chunks.map((chunk) => [chunk.sourcemapFileName, chunk]));
  return written.map((file) => {
    const name = file.fileName;
    if (file.type === 'chunk') return { name, hash: findChunkHash(file) };
    const chunk = byMap.get(name);
    return { name, hash: chunk && findMapHash(name, chunk, sourceMapFileNames) };
  });
}

/** Stands for a hash of the same length until all hashes are known. */
const PLACEHOLDER_OF_CHUNK = /!~\{\w+\}~/g;

/** In the name of a chunk. */
export function findChunkHash({
  fileName,
  preliminaryFileName,
}: Extract<WrittenFile, { type: 'chunk' }>): HashPlace | undefined {
  const [placeholder, other] = preliminaryFileName.matchAll(PLACEHOLDER_OF_CHUNK);
  if (!placeholder || other) return undefined;
  const { index: start } = placeholder;
  const { length } = placeholder[0];
  const same =
    fileName.length === preliminaryFileName.length &&
    fileName.slice(0, start) === preliminaryFileName.slice(0, start) &&
    fileName.slice(start + length) === preliminaryFileName.slice(start + length);
  return same ? { start, length } : undefined;
}

/**
 * In the name of an asset that was emitted under a name of its own.
 *
 * @param name the one that it was emitted under
 */
export function findAssetHash(
  fileName: string,
  name: string,
  source: Uint8Array,
  pattern: AssetFileNames,
): HashPlace | undefined {
  const asset: NamedAsset = {
    type: 'asset',
    name,
    names: [name],
    originalFileName: null,
    originalFileNames: [],
    source,
  };
  try {
    return findHash(fileName, typeof pattern === 'string' ? pattern : pattern(asset));
  } catch {
    // The user's function: it has named this asset before, and does not want to again.
    return undefined;
  }
}

/** `output.sourcemapFileNames`. */
export type SourceMapFileNames = string | ((chunk: WrittenFile) => string) | undefined;

/** In the name of a source map that is not named after its chunk. */
function findMapHash(
  fileName: string,
  chunk: WrittenFile,
  pattern: SourceMapFileNames,
): HashPlace | undefined {
  if (pattern === undefined || pattern === '') return undefined;
  try {
    const names = typeof pattern === 'string' ? pattern : pattern(chunk);
    // It is the only hash then, and no longer the chunk's.
    return findHash(fileName, names) ?? findHash(fileName, names.replace('[chunkhash', '[hash'));
  } catch {
    // The user's function.
    return undefined;
  }
}

/** Characters of a hash where the pattern does not say how many: the default of Rollup and of Rolldown. */
const DEFAULT_LENGTH = 8;

const PLACEHOLDER = /\[(\w+)(?::(\d+))?\]/g;

/** Where the hash is in a file name; undefined where its pattern has none, or did not make this name. */
export function findHash(fileName: string, pattern: string): HashPlace | undefined {
  let hashes = 0;
  let expression = '';
  // Text and placeholders take turns: text, name of the placeholder, its number, text …
  const parts = pattern.split(PLACEHOLDER);
  for (let at = 0; at < parts.length; at += 3) {
    expression += escape(parts[at] ?? '');
    const placeholder = parts[at + 1];
    if (placeholder === 'hash') {
      hashes++;
      expression += `([\\w-]{${parts[at + 2] ?? DEFAULT_LENGTH}})`;
    } else if (placeholder !== undefined) {
      expression += '.*';
    }
  }
  if (hashes !== 1) return undefined;
  const match = new RegExp(`^${expression}$`, 'd').exec(fileName);
  const place = match?.indices?.[1];
  return place && { start: place[0], length: place[1] - place[0] };
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
