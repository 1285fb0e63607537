/**
 * The interface of the native addon (src/native), and loading it. A build copies its binaries beside the artifacts.
 * If none fits this Node, or if it must not be loaded, the runtime works without it.
 */
import { builtin, fileURLToPath } from './builtin.ts';
import { checksum } from './checksum.ts';
import type { SegmentEntry } from '../shared/manifest.ts';

const { readFileSync } = builtin('node:fs');

/** The ranges of a file that are in memory. */
export interface Contents {
  /** Bytes of the entire file. */
  size: number;
  /** In the order of the requested ranges; undefined if the file is too short for the range. */
  segments: (ArrayBuffer | undefined)[];
  /** CRC-32 of each segment, if the native addon has computed them. */
  crcs?: number[];
  /** Whether the segments are mapped, not read. */
  mapped?: boolean;
  /** Identifies a mapping of the native addon to other threads. */
  id?: number;
}

/** A byte range of a file. */
export type Range = Pick<SegmentEntry, 'offset' | 'size'>;

/** The exports of src/native/addon.cc. */
export interface Addon {
  /**
   * Opens a file. Another thread begins to load its pages, to compute checksums and to do as much of V8's work as it
   * can.
   *
   * @param wire index of the range with the wire bytes
   * @returns a function that blocks until the segments are there; it returns undefined at later calls
   */
  map(file: string, ranges: readonly Range[], wire?: number): () => Contents | undefined;
  /** Like `map`, but asynchronous. */
  mapAsync(file: string, ranges: readonly Range[], wire?: number): Promise<Contents>;
  /**
   * Another thread copies the initial contents of a split module's memory (memory-image.ts).
   *
   * @returns a function that blocks until the copy is complete. It returns the CRC-32 of the segment, or undefined if
   *   the file is too short or the segment is invalid. It throws if the file cannot be opened
   */
  fill(file: string, segment: Range, memory: ArrayBuffer): () => number | undefined;
  /** Detaches the segments. Unmaps them at once, unless another thread uses them. */
  release(contents: Contents): void;
  /** V8 14 and later: returns the native code of a module, or undefined if V8 gives none. */
  serialize(module: WebAssembly.Module): ArrayBuffer | undefined;
  /**
   * Deserializes native code. V8 compares version, CPU features and flags. If V8 does not accept the native code, it
   * may compile the wire bytes. The addon does nothing if `check` returns false.
   *
   * @param compile V8 13 and earlier: returns a function that deserializes. Called while the natives syntax is
   *   allowed, by one thread of the process at a time
   */
  deserialize(
    contents: Contents | object,
    code: ArrayBuffer,
    wire: ArrayBuffer,
    check?: () => boolean,
    compile?: () => unknown,
  ): { accepted: boolean; module: WebAssembly.Module } | undefined;
  /** Returns the bytes of address space that a call of `create` takes, or -1 if the platform cannot measure it. */
  reservedBy(create: () => unknown): number;
  /** Returns whether the process has a handler for SIGSEGV and no limit on its address space. */
  handlesSegv(): boolean;
  /**
   * Returns V8's word of CPU features, which one thread determines for all threads; 0 until then.
   *
   * @param found the word, from the thread that has determined it
   */
  cpuFeatures(found?: number): number;
  /** `v8.cachedDataVersionTag()`: a hash of V8's version and flags, up to V8 12 of its CPU features, too. */
  versionTag(): number;
  /** Path of the binary. */
  file: string;
  /**
   * Starts a deserialization worker for one mapping.
   *
   * @param size bytes of native code
   * @returns undefined if a worker is not worthwhile or not possible
   */
  startWorker(size: number): DeserializationWorker | undefined;
}

/** A thread that deserializes the native code of one load. */
export interface DeserializationWorker {
  /** Resolves to `{ module }`, or to another value if the worker has no module for whatever reason. */
  deserialize(contents: Contents, flagHash: number): Promise<unknown>;
  stop(): void;
}

/** File URL and checksum (checksum.ts) of each binary, by `<platform>-<arch>-<process.versions.modules>`. */
export type Addons = Readonly<Record<string, readonly [url: string, checksum: number]>>;

export const NOT_NODE = 'this is not Node';

/** Bun and Deno report the versions, including V8's, of the Node that they emulate. */
export function isNode(): boolean {
  const { bun, deno } = process.versions;
  return (bun ?? deno) === undefined;
}

/** Loaded addons by the path of the binary. */
const loaded: Record<string, Addon> = {};

/** Returns the native addon for this process, or why it cannot be loaded. */
export function loadAddon(addons: Addons): Addon | string {
  const { platform, arch, versions } = process;
  if (!isNode()) return NOT_NODE;
  const key = `${platform}-${arch}-${versions.modules}`;
  const binary = addons[key];
  if (!binary) return `there is none for ${key}`;
  try {
    const file = fileURLToPath(binary[0]);
    const known = loaded[file];
    if (known) return known;
    // The dynamic linker checks nothing: a truncated file kills the process.
    if (checksum(readFileSync(file)) !== binary[1]) return `${file} is damaged or of another build`;
    const addon = { file } as Addon;
    process.dlopen({ exports: addon }, file);
    return (loaded[file] = addon);
  } catch (error) {
    // Addons are forbidden (--no-addons, --permission), the binary needs another C library, the file system forbids
    // execution …
    return `${error as Error}`;
  }
}
