/**
 * Where the segments of an artifact are. The build writes it into the glue code as JSON, so that the runtime need not
 * parse the ELF structure to find its way. Offsets and sizes are in bytes, offsets from the start of the file.
 */
export interface ArtifactManifest {
  /** Of the whole file. */
  size: number;
  /** 40 hexadecimal digits. */
  buildId: string;
  /** Where the 20 bytes of the build id are in the file. */
  buildIdOffset: number;
  /** Of a split module the primary. */
  wire: SegmentEntry;
  native: NativeEntry[];
  /** Where the module is split. */
  split?: SplitEntry | undefined;
}

/** What a split module has besides its primary. */
export interface SplitEntry {
  /** The secondaries, by their numbers less one. */
  secondaries: SecondaryEntry[];
  /** The memory, where the primary imports it (memory.ts). */
  memory?: MemoryEntry | undefined;
  /** How the full primary is put together of `wire` and the last secondary, where `wire` is lean and of use to native code only. */
  full?: SegmentEntry | undefined;
  /** How the whole module is put together again (join.ts): of the primary, the secondaries and the memory. */
  plan: SegmentEntry;
  /** The whole module. */
  original: Pick<SegmentEntry, 'size' | 'crc32'>;
}

/** The segment has these numbers, too; the memory is made before it is read. */
export interface MemoryEntry extends SegmentEntry {
  /** Pages. */
  initial: number;
  /** Pages, or `NO_MAXIMUM`. */
  maximum: number;
}

export interface SecondaryEntry {
  wire: SegmentEntry;
  /** One for each engine of the map's `native`, in the same order; null where there is none. */
  native: (SegmentEntry | null)[];
}

export interface SegmentEntry {
  offset: number;
  size: number;
  /** As `zlib.crc32` computes it, unsigned. */
  crc32: number;
}

export interface NativeEntry extends SegmentEntry {
  /**
   * The engine key: V8's version, platform and architecture must be those of the running process; CPU features and flag hash
   * are the words that the header of the native code has.
   */
  engine: string;
  /** Of the target, for people: `node 24.9.0`. */
  node: string;
  cpu: CpuRequirements;
}

/** What native code needs of a CPU, and what tells the features of the running V8 (fit.ts). */
export interface CpuRequirements {
  /** `x86-64-v3`; `host`: what the machine has that built it. */
  level: string;
  /** The bits of what the code may use in V8's word of CPU features: all of them must be in the running one. */
  needs: number;
  /** Names of the bits, from the lowest on; empty where nobody has named them for this V8. */
  features: string;
  /**
   * Native code of the smallest module, made by a process without flags: in base64. Where V8 accepts it, the machine has
   * the features of the one that built.
   */
  trial: string;
  /** V8's version tag (`v8.cachedDataVersionTag()`) in that process. */
  versionTag: number;
}
