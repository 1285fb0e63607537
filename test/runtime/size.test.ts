import { stat } from 'node:fs/promises';
import path from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../v8/support.ts';

/** Bytes. Programs ship with the runtime. */
const LIMIT = 6848;

/** Bytes of the part that finds files in the output, for programs which load wasm themselves. */
const FILE_LIMIT = 1280;

/** Bytes of the register file without an index: the complete runtime, also for split modules. */
const REGISTER_LIMIT = 28_160;

/** Bytes, compressed with brotli. Pages ship with the runtime. */
const WEB_LIMIT = 2048;
/** The same with split modules, and with split modules that user code gets. */
const WEB_SPLIT_LIMIT = 2816;
const WEB_TRANSFER_LIMIT = 3648;

describe('the runtime for browsers', () => {
  it.each([
    ['not split', ['browser/load'], WEB_LIMIT],
    ['split', ['browser/load', 'shared/link', 'browser/load-split'], WEB_SPLIT_LIMIT],
    [
      'split, and user code gets the module',
      ['browser/load', 'shared/link', 'browser/load-split', 'browser/transfer'],
      WEB_TRANSFER_LIMIT,
    ],
  ])(
    'is small when minified and compressed, with all exports, and imports nothing: %s',
    async (_, files, limit) => {
      const entry = files.map(
        (file) => `export * from ${JSON.stringify(path.join(ROOT, `dist/runtime/${file}.js`))};`,
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
    ['node/file', '', FILE_LIMIT],
  ])('is small when minified, and imports only modules of Node: %s, %j', async (file, program, limit) => {
    const runtime = path.join(ROOT, `dist/runtime/${file}.js`);
    const bundle = await rolldown({
      input: program === '' ? runtime : 'virtual:program',
      external: /^node:/,
      platform: 'node',
      plugins: [
        {
          name: 'program',
          resolveId: (id) => (id === 'virtual:program' ? id : undefined),
          load: (id) => (id === 'virtual:program' ? program.replace('RUNTIME', runtime) : undefined),
        },
      ],
    });
    const { output } = await bundle.generate({ format: 'esm', minify: true });
    await bundle.close();
    const [chunk] = output;
    expect(output).toHaveLength(1);
    expect(chunk.imports.filter((id) => !id.startsWith('node:'))).toEqual([]);
    expect(chunk.dynamicImports).toEqual([]);
    expect(Buffer.byteLength(chunk.code)).toBeLessThan(limit);
  });

  it.each([
    'node/index',
    'node/plain',
    'node/compatibility',
    'node/recompile/recompile',
    'node/split/load-split',
    'node/file',
  ])('imports no module of Node except the one that gives access to the others: %s', async (file) => {
    const bundle = await rolldown({
      input: path.join(ROOT, `dist/runtime/${file}.js`),
      external: /^node:/,
      platform: 'node',
    });
    const { output } = await bundle.generate({ format: 'esm' });
    await bundle.close();
    expect([...output[0].imports, ...output[0].dynamicImports]).toEqual(['node:module']);
  });

  it.each(['main-esm.js', 'main-cjs.cjs'])('is small as a register file: %s', async (file) => {
    const { size } = await stat(path.join(ROOT, 'dist/register', file));
    expect(size).toBeLessThan(REGISTER_LIMIT);
  });
});
