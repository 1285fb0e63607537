/** Imports of `./x.wasm?module`, for plugins that stand for what one does without ours. */
import type { Plugin } from 'vite';

export const MODULE_REQUEST = /\.wasm\?module$/;

/** Where the file is, with the query again: `resolveId` of such a plugin. */
export const resolveModuleRequest = {
  filter: { id: MODULE_REQUEST },
  async handler(id, importer) {
    const resolved = await this.resolve(id.replace('?module', ''), importer, { skipSelf: true });
    return resolved && `${resolved.id}?module`;
  },
} satisfies Plugin['resolveId'];
