import { describe, expect, test } from 'vitest';
import { findAssetHash, findChunkHash, findHash } from '../../src/build/output/file-names.ts';

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
  ])('%s by %s', (name, pattern, hash) => {
    expect(hashOf(name, pattern)).toBe(hash);
  });

  test.each([
    ['no hash in the pattern', 'main.js', '[name].js'],
    ['another pattern', 'main.js', '[name]-[hash].js'],
    ['a number that makes the name unique', 'main-012345672.js', 'main-[hash].js'],
    ['two hashes', '01234567/main-01234567.js', '[hash]/[name]-[hash].js'],
  ])('is nowhere: %s', (_, name, pattern) => {
    expect(hashOf(name, pattern)).toBeUndefined();
  });
});

const place = (fileName: string, preliminaryFileName: string) =>
  findChunkHash({ type: 'chunk', fileName, preliminaryFileName });

describe('the hash in the name of a chunk', () => {
  test('is where the bundler had a placeholder', () => {
    expect(place('chunks/a-01234567.js', 'chunks/a-!~{001}~.js')).toEqual({ start: 9, length: 8 });
  });

  test.each([
    ['no placeholder', 'asset-manifest.js', 'asset-manifest.js'],
    ['two of them', '01234567/a-01234567.js', '!~{001}~/a-!~{001}~.js'],
    ['renamed by another plugin', 'b-01234567.js', 'a-!~{001}~.js'],
    ['another length', 'a-0123456.js', 'a-!~{001}~.js'],
  ])('is nowhere: %s', (_, name, preliminary) => {
    expect(place(name, preliminary)).toBeUndefined();
  });
});

const find = (pattern: Parameters<typeof findAssetHash>[3]) =>
  findAssetHash('wasm/one-01234567.elf', 'one.elf', new Uint8Array(), pattern);

describe('the hash in the name of an asset', () => {
  test('follows a pattern, also one that a function gives', () => {
    expect(find('wasm/[name]-[hash][extname]')).toEqual({ start: 9, length: 8 });
    expect(find(({ names }) => `wasm/[name]-[hash].${names[0]?.split('.').at(-1)}`)).toEqual({
      start: 9,
      length: 8,
    });
  });

  test('is nowhere where the function throws', () => {
    expect(
      find(() => {
        throw new Error('not again');
      }),
    ).toBeUndefined();
  });
});
