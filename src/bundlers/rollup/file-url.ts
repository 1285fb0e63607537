/** Expressions for URLs of emitted files: while modules load, and in the chunks of the output. */
import { encodePath } from '../../common/encode-path.ts';
import type { FileUrl } from './context.ts';

/**
 * `import.meta.`, with a comment in it: Nitro (2) replaces the text `import.meta.` in modules and in chunks, and the
 * URL of every chunk would become that of the entry.
 */
export const IMPORT_META = 'import.meta/**/';

/** Returns the expression that stands for the URL of an emitted file until chunks are rendered. */
export function urlExpression(referenceId: string): string {
  return `${IMPORT_META}.ROLLUP_FILE_URL_${referenceId}`;
}

/** Returns the expression for the URL of an emitted file, relative to the chunk that uses it. */
export function chunkRelativeUrl({ relativePath, format }: FileUrl): string | undefined {
  const path = relativePath.replaceAll('\\', '/');
  const url = encodePath(path);
  if (/^(es|esm|module)$/.test(format)) return `new URL(${JSON.stringify(url)}, ${IMPORT_META}.url).href`;
  if (/^(cjs|commonjs)$/.test(format)) {
    return `require("node:url").pathToFileURL(__dirname + ${JSON.stringify(`/${path}`)}).href`;
  }
  return undefined;
}
