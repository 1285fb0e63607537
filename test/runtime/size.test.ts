import path from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../engines/support.ts';

/** Bytes. Programs carry the runtime with them. */
const LIMIT = 6144;

/** Bytes, compressed by brotli. Pages carry it with them. */
const WEB_LIMIT = 2048;

describe('the runtime for browsers', () => {
  it('is small when it is minified and compressed, with all that it has, and imports nothing', async () => {
    const bundle = await rolldown({ input: path.join(ROOT, 'dist/runtime/web.js'), platform: 'browser' });
    const { output } = await bundle.generate({ format: 'esm', minify: true });
    await bundle.close();
    const [chunk] = output;
    expect(output).toHaveLength(1);
    expect([...chunk.imports, ...chunk.dynamicImports]).toEqual([]);
    expect(brotliCompressSync(chunk.code).length).toBeLessThan(WEB_LIMIT);
  });
});

describe('the runtime for Node', () => {
  it.each([
    '',
    'import { fromArtifact, initializer } from "RUNTIME"; globalThis.keep = [fromArtifact, initializer];',
  ])('is small when it is minified, and imports nothing but what Node has: %j', async (glue) => {
    const runtime = path.join(ROOT, 'dist/runtime/node.js');
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
    expect(chunk.imports.filter((name) => !name.startsWith('node:'))).toEqual([]);
    expect(chunk.dynamicImports).toEqual([]);
    expect(Buffer.byteLength(chunk.code)).toBeLessThan(LIMIT);
  });
});
