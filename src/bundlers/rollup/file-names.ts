/** The position of the hash in the names that Rollup and Rolldown give to output files. */
import { findHash, type HashPlace } from '../../build/output/find-hash.ts';
import type { OutputFile } from '../../build/output/rewrite-output.ts';

/** The description of an asset that Rollup and Rolldown pass to `output.assetFileNames`. */
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

/** Rollup's and Rolldown's description of an output file. */
export type WrittenFile =
  | { type: 'asset'; fileName: string }
  | { type: 'chunk'; fileName: string; preliminaryFileName: string; sourcemapFileName?: string | null };

/**
 * Every file of an output, with the position of the hash in its name; unknown for assets, which other plugins
 * emitted.
 */
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

/** A placeholder for a hash of the same length, until all hashes are known. */
const PLACEHOLDER_OF_CHUNK = /!~\{\w+\}~/g;

/** The position of the hash in the name of a chunk. */
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
 * The position of the hash in the name of an asset.
 *
 * @param name the name that it was emitted with
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
    // The user's function may throw when it is called for the same asset again.
    return undefined;
  }
}

/** `output.sourcemapFileNames`. */
export type SourceMapFileNames = string | ((chunk: WrittenFile) => string) | undefined;

/** The position of the hash in the name of a source map that is not named after its chunk. */
function findMapHash(
  fileName: string,
  chunk: WrittenFile,
  pattern: SourceMapFileNames,
): HashPlace | undefined {
  if (pattern === undefined || pattern === '') return undefined;
  try {
    const names = typeof pattern === 'string' ? pattern : pattern(chunk);
    // If only `[chunkhash]` is there, its value differs from the chunk's own hash by now: it counts as the map's.
    return findHash(fileName, names) ?? findHash(fileName, names.replace('[chunkhash', '[hash'));
  } catch {
    // The user's function may throw.
    return undefined;
  }
}
