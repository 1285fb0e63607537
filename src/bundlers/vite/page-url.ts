/** URLs of emitted files in the chunks of a page. */
import type { PageSettings } from '../../build/bundler-context.ts';
import { encodePath } from '../../common/encode-path.ts';
import type { FileUrl } from '../rollup/context.ts';
import { IMPORT_META } from '../rollup/file-url.ts';

/**
 * Returns the expression for the URL of an emitted file in a page; undefined if the URL is relative to the chunk and
 * the chunk has `import.meta.url`.
 */
export function pageUrl(
  { relativePath, format, fileName, chunkId }: FileUrl,
  { worker, urlInChunk }: PageSettings,
): string | undefined {
  const configured = urlInChunk(fileName, chunkId);
  const base = format === 'iife' && worker ? 'self.location.href' : undefined;
  if (configured === undefined && base === undefined) return undefined;
  const url = configured ?? JSON.stringify(encodePath(relativePath.replaceAll('\\', '/')));
  return `new URL(${url}, ${base ?? `${IMPORT_META}.url`}).href`;
}
