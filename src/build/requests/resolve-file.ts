import { createRequire } from 'node:module';
import { isAbsolute } from 'node:path';
import type { BundlerContext } from '../bundler-context.ts';

/** Returns the absolute path of a wasm file, by the bundler's resolution, else by Node's for files of packages. */
export async function resolveFile(
  context: BundlerContext,
  file: string,
  importer: string | undefined,
): Promise<string | undefined> {
  const resolved = await context.resolve(file, importer);
  if (resolved && !resolved.external) return resolved.id;
  if (importer === undefined || !isAbsolute(importer)) return undefined;
  try {
    return createRequire(importer).resolve(file).replaceAll('\\', '/');
  } catch {
    return undefined;
  }
}
