/** Imports of `./x.wasm?module`, for the plugins of baseline builds. */
import type { Plugin } from 'vite';

export const MODULE_REQUEST = /\.wasm\?module$/;

/** The `resolveId` hook of such a plugin: resolves the file and keeps the query. */
export const resolveModuleRequest = {
  filter: { id: MODULE_REQUEST },
  async handler(id, importer) {
    const resolved = await this.resolve(id.replace('?module', ''), importer, { skipSelf: true });
    return resolved && `${resolved.id}?module`;
  },
} satisfies Plugin['resolveId'];
