/** What `npm run lint:text` lets pass. One list, so that it stays short; each entry with its reason. */

export interface Exception {
  /** A path from the top level of the repository, or a folder that ends with `/`. */
  path: string;
  /** Only findings whose text contains this. */
  contains?: string;
  reason: string;
}

export const EXCEPTIONS: readonly Exception[] = [
  { path: 'scripts/lint-text/', reason: 'lists the words' },
  { path: 'test/lint/', reason: 'has an example of each finding' },
];

/** Base names that several files in `src` may have, each with what they have in common. */
export const SHARED_BASE_NAMES: Readonly<Record<string, string>> = {
  'index.ts': 'the entry of a folder',
  'plugin.ts': 'the plugin, and its side for each bundler',
  'cursor.ts': 'reading and writing a binary format: ELF, wasm',
  'load-split.ts': 'loading a split module: in Node, in browsers',
  'sha256.ts': 'SHA-256: by node:crypto in the build, in JavaScript in browsers',
  'transfer.ts': 'transferring split modules to other threads: in Node, in browsers',
};
