/**
 * The cache of native code between builds. A key covers everything that can change an entry's contents. An entry is
 * its own SHA-256 followed by the native code, so that damage is detected in any store. The digest does not protect
 * against an attacker with write access to the cache: that attacker can run code in your program, as with write
 * access to its sources.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Warn } from '../../common/warn-once.ts';
import { writeAtomic } from '../../common/write-atomic.ts';
import type { CacheStore } from '../options/types.ts';

export interface Cache {
  /** The bytes saved under a key; undefined if there are none, or if they are damaged. */
  get(key: string): Promise<Uint8Array | undefined>;
  set(key: string, bytes: Uint8Array): Promise<void>;
}

/** The key for values that JSON can represent. */
export function cacheKey(values: Record<string, string | number | boolean>): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('hex');
}

const DIGEST_SIZE = 32;

/**
 * @param place a folder, a store, or false for no cache
 * @param warn receives a message if the cache cannot be read or written: a build does not fail for it
 */
export function createCache(place: string | false | CacheStore, warn: Warn): Cache {
  if (place === false) return { get: async () => undefined, set: async () => {} };
  const store = typeof place === 'string' ? createFolderStore(place) : place;
  const failed = (verb: string, error: unknown) => {
    const name = typeof place === 'string' ? place : '';
    // One cause for all keys: the error names a different file for each key.
    warn(`The cache ${name} cannot be ${verb}: ${String(error)}`, 'cache');
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

/** One file for each key, written atomically. */
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
