/**
 * Describes where the segments of an artifact are. The build writes it into the generated code as JSON, so that the
 * runtime need not parse the ELF structure. Offsets and sizes are in bytes; offsets count from the start of the file.
 */
export interface ArtifactManifest {
  /** Size of the file. */
  size: number;
  /** 40 hexadecimal digits. */
  buildId: string;
  /** Offset of the 20 bytes of the build id. */
  buildIdOffset: number;
  /** The wire bytes; if the module is split, those of the primary. */
  wire: SegmentEntry;
  native: NativeEntry[];
  /** Present if the module is split. */
  split?: SplitEntry | undefined;
}

/** The segments of a split module, except for its primary. */
export interface SplitEntry {
  /** The secondaries, in the order of their numbers, which start at 1. */
  secondaries: SecondaryEntry[];
  /** The memory image, if the primary imports its memory (memory-image.ts). */
  memory?: MemoryEntry | undefined;
  /**
   * If `wire` is a stubbed primary, for native code only: the plan for the full primary, from `wire` and the last
   * secondary.
   */
  full?: SegmentEntry | undefined;
  /** The plan for the original module, from the primary, the secondaries and the memory image (reassembly-plan.ts). */
  plan: SegmentEntry;
  /** The original module. */
  original: Pick<SegmentEntry, 'size' | 'crc32'>;
}

/** Repeats the limits that the segment contains, because the runtime creates the memory before it reads the segment. */
export interface MemoryEntry extends SegmentEntry {
  /** Pages. */
  initial: number;
  /** Pages, or `NO_MAXIMUM`. */
  maximum: number;
}

export interface SecondaryEntry {
  wire: SegmentEntry;
  /** One for each entry of the manifest's `native`, in the same order; null if there is none for that engine. */
  native: (SegmentEntry | null)[];
}

export interface SegmentEntry {
  offset: number;
  size: number;
  /** The checksum that `zlib.crc32` computes, unsigned. */
  crc32: number;
}

export interface NativeEntry extends SegmentEntry {
  /**
   * The engine key. V8's version, platform and architecture must be those of the running process. CPU features and
   * flag hash are the words in the header of the native code.
   */
  engine: string;
  /** Name of the target, for messages: `node 24.9.0`. */
  node: string;
  cpu: CpuRequirements;
}

/** The CPU features that native code requires, and the data to determine those of the running V8 (compatibility.ts). */
export interface CpuRequirements {
  /** `x86-64-v3`; `host`: the features of the build machine. */
  level: string;
  /**
   * The features that the code may use, as bits of V8's word of CPU features. The running V8's word must have all of
   * them.
   */
  needs: number;
  /** Names of the bits, from the lowest on; empty if the plugin does not know them for this V8. */
  features: string;
  /**
   * Native code of the smallest module, made by a process without flags, in base64. If V8 accepts it, the machine has
   * the CPU features of the build machine.
   */
  trial: string;
  /** V8's version tag (`v8.cachedDataVersionTag()`) in that process. */
  versionTag: number;
}
