import { resolve } from 'node:path';
import { glob } from 'tinyglobby';
import { WasmPrecompileError } from '../common/error.ts';

/**
 * The files that patterns name, as sorted absolute paths.
 *
 * @throws WasmPrecompileError `INVALID_OPTIONS` where a pattern matches nothing
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
    // A name with glob characters in it that is a file after all, or a file that does not exist: say so later.
    if (matches.length === 0 && /[*?[{]/.test(pattern)) {
      throw new WasmPrecompileError('INVALID_OPTIONS', `${pattern} matches no file.`);
    }
    for (const match of matches.length > 0 ? matches : [resolve(pattern)]) found.add(match);
  }
  return [...found].toSorted();
}
