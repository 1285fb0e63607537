/**
 * Where the segments of an artifact are. The build writes it into the glue code as JSON, so that the runtime need not
 * parse the ELF structure to find its way. Offsets and sizes are in bytes, offsets from the start of the file.
 */
export interface ArtifactMap {
  /** Of the whole file. */
  size: number;
  /** 40 hexadecimal digits. */
  buildId: string;
  /** Where the 20 bytes of the build id are in the file. */
  buildIdOffset: number;
  wire: SegmentMap;
  native: NativeSegmentMap[];
}

export interface SegmentMap {
  offset: number;
  size: number;
  /** As `zlib.crc32` computes it, unsigned. */
  crc32: number;
}

export interface NativeSegmentMap extends SegmentMap {
  /** The engine key that must be equal to that of the running process. */
  engine: string;
}
