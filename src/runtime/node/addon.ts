/**
 * The native loader (src/native) as the runtime sees it. Its binaries lie beside the artifacts; where there is none
 * for this Node, or where it may not be loaded, the runtime does without.
 */
import { builtin } from './builtin.ts';
import { checksum } from './checksum.ts';
import type { SegmentEntry } from '../shared/manifest.ts';

const { readFileSync } = builtin('node:fs');
const { fileURLToPath } = builtin('node:url');

/** What was brought into memory of a file. */
export interface Contents {
  /** Bytes of the whole file. */
  size: number;
  /** In the order asked for; undefined where the file is too short. */
  segments: (ArrayBuffer | undefined)[];
  /** CRC-32 of each segment, where the native loader has computed them. */
  crcs?: number[];
  /** Whether the segments are mapped, not read. */
  mapped?: boolean;
  /** By which other threads find it, where the native loader has it. */
  id?: number;
}

/** A part of a file, in bytes. */
export type Range = Pick<SegmentEntry, 'offset' | 'size'>;

/** The exports of src/native/addon.cc. */
export interface Addon {
  /**
   * Opens a file, and has another thread begin to bring it in: pages, CRC-32, and as much of V8's work as they can do.
   *
   * @param wire index of the segment with the wire bytes
   * @returns waits for the segments; undefined at later calls
   */
  map(file: string, ranges: readonly Range[], wire?: number): () => Contents | undefined;
  /** The same, without anybody waiting. */
  mapAsync(file: string, ranges: readonly Range[], wire?: number): Promise<Contents>;
  /**
   * Has another thread copy what a split module's memory begins with (memory.ts).
   *
   * @returns waits for it, and gives the CRC-32 of the segment; undefined where the file is too short, or it is no such segment.
   *   Throws where the file cannot be opened
   */
  fill(file: string, segment: Range, memory: ArrayBuffer): () => number | undefined;
  /** Detaches the segments; unmaps at once where no other thread has them. */
  release(contents: Contents): void;
  /** V8 14 and later: the native code of a module; undefined where V8 has none. */
  serialize(module: WebAssembly.Module): ArrayBuffer | undefined;
  /**
   * V8 compares version, CPU features and flags; where it does not accept the native code, it may compile the wire
   * bytes. Nothing is tried where `check` gives false.
   *
   * @param compile V8 13 and earlier, one thread of the process at a time: gives a function that deserializes; called
   *   while the natives' syntax is allowed
   */
  deserialize(
    contents: Contents | object,
    code: ArrayBuffer,
    wire: ArrayBuffer,
    check?: () => boolean,
    compile?: () => unknown,
  ): { accepted: boolean; module: WebAssembly.Module } | undefined;
  /** Bytes of address space that a call of `create` takes; -1 where the platform does not tell. */
  reservedBy(create: () => unknown): number;
  /** Whether somebody in the process handles SIGSEGV, and its address space is not limited. */
  handlesSegv(): boolean;
  /** V8's word of CPU features, once one thread has found it for all; 0 before. `found`: what it is. */
  cpuFeatures(found?: number): number;
  /** `v8.cachedDataVersionTag()`: V8's version and flags in one number; up to V8 12 its CPU features, too. */
  versionTag(): number;
  /** Path of the binary. */
  file: string;
  /**
   * Starts a worker that waits for a mapping to deserialize; undefined where there should be none, or can be none.
   *
   * @param size bytes of native code
   */
  startWorker(size: number): DeserializationWorker | undefined;
}

/** A thread of its own for one load. */
export interface DeserializationWorker {
  /** Something else than `{ module }` where the helper has no module, for whatever reason. */
  deserialize(contents: Contents, flagHash: number): Promise<unknown>;
  stop(): void;
}

/** File URL and checksum (checksum.ts) of each binary, by `<platform>-<arch>-<process.versions.modules>`. */
export type Addons = Readonly<Record<string, readonly [url: string, checksum: number]>>;

export const NOT_NODE = 'this is not Node';

/** Bun and Deno report versions, V8's too, of the Node that they stand in for. */
export function isNode(): boolean {
  return (process.versions['bun'] ?? process.versions['deno']) === undefined;
}

/** By path. */
const loaded = new Map<string, Addon>();

/** The native loader for this process, or why there is none. */
export function loadAddon(addons: Addons): Addon | string {
  const { platform, arch, versions } = process;
  if (!isNode()) return NOT_NODE;
  const key = `${platform}-${arch}-${versions.modules}`;
  const binary = addons[key];
  if (!binary) return `there is none for ${key}`;
  try {
    const file = fileURLToPath(binary[0]);
    const known = loaded.get(file);
    if (known) return known;
    // The dynamic linker trusts every byte: a file that was cut off kills the process.
    if (checksum(readFileSync(file)) !== binary[1]) return `${file} is damaged or of another build`;
    const module = { exports: { file } as Partial<Addon> };
    process.dlopen(module, file);
    const addon = module.exports as Addon;
    loaded.set(file, addon);
    return addon;
  } catch (error) {
    // Not allowed (--no-addons, --permission), made for another C library, on a file system without execution …
    return `${error as Error}`;
  }
}
