/**
 * The cache of native code between builds. An entry's key is made of everything that can change its contents;
 * an entry is its own SHA-256 followed by the native code, so that a damaged one is noticed wherever it was
 * kept. The digest protects against damage, not against somebody who may write to the cache: who can, can
 * make your program run their code, as with the sources themselves.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomic } from '../../common/write-atomic.ts';

/** What the cache needs of its store: the shape of an unstorage driver or storage. */
export interface CacheStore {
  getItemRaw(key: string): unknown;
  setItemRaw(key: string, value: Uint8Array): unknown;
}

export interface Cache {
  /** The bytes kept under a key; undefined where there are none, or damaged ones. */
  get(key: string): Promise<Uint8Array | undefined>;
  set(key: string, bytes: Uint8Array): Promise<void>;
}

/** The key for anything that JSON can say. */
export function cacheKey(parts: Record<string, string | number | boolean>): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

const DIGEST_SIZE = 32;

/**
 * @param place a folder, a store, or false for no cache
 * @param warn told once when the cache cannot be written: a build does not fail for it
 */
export function createCache(place: string | false | CacheStore, warn: (message: string) => void): Cache {
  if (place === false) return { get: async () => undefined, set: async () => {} };
  const store = typeof place === 'string' ? createFolderStore(place) : place;
  let warned = false;
  const failed = (doing: string, error: unknown) => {
    if (!warned)
      warn(`The cache ${typeof place === 'string' ? place : ''} cannot be ${doing}: ${String(error)}`);
    warned = true;
  };
  return {
    async get(key) {
      try {
        const entry = await store.getItemRaw(key);
        return entry instanceof Uint8Array ? verified(entry) : undefined;
      } catch (error) {
        failed('read', error);
        return undefined;
      }
    },
    async set(key, bytes) {
      try {
        await store.setItemRaw(key, Buffer.concat([digest(bytes), bytes]));
      } catch (error) {
        failed('written', error);
      }
    },
  };
}

function verified(entry: Uint8Array): Uint8Array | undefined {
  const bytes = entry.subarray(DIGEST_SIZE);
  return digest(bytes).equals(entry.subarray(0, DIGEST_SIZE)) ? bytes : undefined;
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** One file for each key; a file appears whole or not at all. */
function createFolderStore(folder: string): CacheStore {
  return {
    async getItemRaw(key: string) {
      try {
        return await readFile(join(folder, key));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    setItemRaw: (key: string, value: Uint8Array) => writeAtomic(join(folder, key), value),
  };
}
