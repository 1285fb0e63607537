/** The position of the hash in the name of an output file. */
import { describe, expect, test } from 'vitest';
import { findHash } from '../../src/build/output/find-hash.ts';
import { findAssetHash, findChunkHash } from '../../src/bundlers/rollup/file-names.ts';

function hashOf(name: string, pattern: string): string | undefined {
  const place = findHash(name, pattern);
  return place && name.slice(place.start, place.start + place.length);
}

describe('the hash in a file name', () => {
  test.each([
    ['assets/sql-wasm-Ab3_-xyZ.elf', 'assets/[name]-[hash][extname]', 'Ab3_-xyZ'],
    ['assets/sql-wasm-Ab3_-xyZ.elf', 'assets/[name]-[hash].[ext]', 'Ab3_-xyZ'],
    ['a-b-c-0123456789ab.js', '[name]-[hash:12].js', '0123456789ab'],
    ['0123.main.js', '[hash:4].[name].js', '0123'],
    ['es/nested/main.01234567.mjs', '[format]/[name].[hash].mjs', '01234567'],
    ['x+(1)-01234567.js', 'x+(1)-[hash].js', '01234567'],
  ])('is found in %s by %s', (name, pattern, hash) => {
    expect(hashOf(name, pattern)).toBe(hash);
  });

  test.each([
    ['the pattern has no hash', 'main.js', '[name].js'],
    ['the pattern does not match', 'main.js', '[name]-[hash].js'],
    ['the bundler added a number to make the name unique', 'main-012345672.js', 'main-[hash].js'],
    ['the pattern has two hashes', '01234567/main-01234567.js', '[hash]/[name]-[hash].js'],
  ])('is not found: %s', (_, name, pattern) => {
    expect(hashOf(name, pattern)).toBeUndefined();
  });
});

const place = (fileName: string, preliminaryFileName: string) =>
  findChunkHash({ type: 'chunk', fileName, preliminaryFileName });

describe('the hash in the name of a chunk', () => {
  test('is found at the position of the placeholder', () => {
    expect(place('chunks/a-01234567.js', 'chunks/a-!~{001}~.js')).toEqual({ start: 9, length: 8 });
  });

  test.each([
    ['the preliminary name has no placeholder', 'asset-manifest.js', 'asset-manifest.js'],
    ['the preliminary name has two placeholders', '01234567/a-01234567.js', '!~{001}~/a-!~{001}~.js'],
    ['another plugin renamed the chunk', 'b-01234567.js', 'a-!~{001}~.js'],
    ['the length differs', 'a-0123456.js', 'a-!~{001}~.js'],
  ])('is not found: %s', (_, name, preliminary) => {
    expect(place(name, preliminary)).toBeUndefined();
  });
});

const find = (pattern: Parameters<typeof findAssetHash>[3]) =>
  findAssetHash('wasm/one-01234567.elf', 'one.elf', new Uint8Array(), pattern);

describe('the hash in the name of an asset', () => {
  test('is found by a pattern, and by a pattern that a function returns', () => {
    expect(find('wasm/[name]-[hash][extname]')).toEqual({ start: 9, length: 8 });
    expect(find(({ names }) => `wasm/[name]-[hash].${names[0]?.split('.').at(-1)}`)).toEqual({
      start: 9,
      length: 8,
    });
  });

  test('is not found if the function throws', () => {
    expect(
      find(() => {
        throw new Error('not again');
      }),
    ).toBeUndefined();
  });
});
