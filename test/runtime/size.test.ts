import path from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../v8/support.ts';

/** Bytes. Programs carry the runtime with them. */
const LIMIT = 6848;

/** In programs with code that loads wasm by itself, besides; with what both have, which is there once. */
const GLUE_LIMIT = 4608;
/** Bytes, compressed by brotli. Pages carry it with them. */
const WEB_LIMIT = 2048;
/** The same with demand loading, and with modules besides that others get. */
const WEB_SPLIT_LIMIT = 2816;
const WEB_OTHERS_LIMIT = 3648;

describe('the runtime for browsers', () => {
  it.each([
    ['plain', ['browser/load'], WEB_LIMIT],
    ['with parts', ['browser/load', 'shared/link', 'browser/split'], WEB_SPLIT_LIMIT],
    [
      'with parts and modules that others get',
      ['browser/load', 'shared/link', 'browser/split', 'browser/transfer'],
      WEB_OTHERS_LIMIT,
    ],
  ])(
    'is small when it is minified and compressed, with all that it has, and imports nothing: %s',
    async (_, parts, limit) => {
      const entry = parts.map(
        (part) => `export * from ${JSON.stringify(path.join(ROOT, `dist/runtime/${part}.js`))};`,
      );
      const bundle = await rolldown({
        input: 'virtual:entry',
        platform: 'browser',
        plugins: [
          {
            name: 'entry',
            resolveId: (id) => (id === 'virtual:entry' ? id : undefined),
            load: (id) => (id === 'virtual:entry' ? entry.join('\n') : undefined),
          },
        ],
      });
      const { output } = await bundle.generate({ format: 'esm', minify: true });
      await bundle.close();
      const [chunk] = output;
      expect(output).toHaveLength(1);
      expect([...chunk.imports, ...chunk.dynamicImports]).toEqual([]);
      expect(brotliCompressSync(chunk.code).length).toBeLessThan(limit);
    },
  );
});

describe('the runtime for Node', () => {
  it.each([
    ['node/index', '', LIMIT],
    [
      'node/index',
      'import { fromArtifact, initializer } from "RUNTIME"; globalThis.keep = [fromArtifact, initializer];',
      LIMIT,
    ],
    ['node/recognise', 'import { register } from "RUNTIME"; globalThis.keep = register;', GLUE_LIMIT],
  ])(
    'is small when it is minified, and imports nothing but what Node has: %s, %j',
    async (part, glue, limit) => {
      const runtime = path.join(ROOT, `dist/runtime/${part}.js`);
      const bundle = await rolldown({
        input: glue === '' ? runtime : 'virtual:glue',
        external: /^node:/,
        platform: 'node',
        plugins: [
          {
            name: 'glue',
            resolveId: (id) => (id === 'virtual:glue' ? id : undefined),
            load: (id) => (id === 'virtual:glue' ? glue.replace('RUNTIME', runtime) : undefined),
          },
        ],
      });
      const { output } = await bundle.generate({ format: 'esm', minify: true });
      await bundle.close();
      const [chunk] = output;
      expect(output).toHaveLength(1);
      expect(chunk.imports.filter((file) => !file.startsWith('node:'))).toEqual([]);
      expect(chunk.dynamicImports).toEqual([]);
      expect(Buffer.byteLength(chunk.code)).toBeLessThan(limit);
    },
  );

  it.each([
    'node/index',
    'node/plain',
    'node/compatibility',
    'node/recompile/recompile',
    'node/split/load',
    'node/recognise',
  ])('imports no module of Node but the one that asks for the others: %s', async (part) => {
    const bundle = await rolldown({
      input: path.join(ROOT, `dist/runtime/${part}.js`),
      external: /^node:/,
      platform: 'node',
    });
    const { output } = await bundle.generate({ format: 'esm' });
    await bundle.close();
    expect([...output[0].imports, ...output[0].dynamicImports]).toEqual(['node:module']);
  });
});
