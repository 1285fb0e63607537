import { resolve } from 'node:path';
import { glob } from 'tinyglobby';
import { WasmPrecompileError } from '../common/error.ts';

/**
 * Returns the files that match patterns, as sorted absolute paths.
 *
 * @throws WasmPrecompileError `INVALID_OPTIONS` if a pattern matches no file
 */
export async function findFiles(
  patterns: string[],
  { ignore = [] }: { ignore?: string | string[] } = {},
): Promise<string[]> {
  const found = new Set<string>();
  for (const pattern of patterns) {
    const escaped = pattern.replaceAll('\\', '/');
    const matches = await glob(escaped, {
      absolute: true,
      onlyFiles: true,
      expandDirectories: false,
      ignore,
    });
    // A pattern without glob characters is a path: a missing file is reported when it is read.
    if (matches.length === 0 && /[*?[{]/.test(pattern)) {
      throw new WasmPrecompileError('INVALID_OPTIONS', `${pattern} matches no file.`);
    }
    for (const match of matches.length > 0 ? matches : [resolve(pattern)]) found.add(match);
  }
  return [...found].toSorted();
}
