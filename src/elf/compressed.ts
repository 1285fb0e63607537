/**
 * Compressed sections (gabi chapter 4, "Compressed Sections"): an Elf64_Chdr, then a zlib stream. The header
 * has the size and the alignment of the uncompressed contents.
 */
import { constants, deflateSync, inflateSync } from 'node:zlib';
import { messageOf } from '../common/error.ts';
import { CHDR_SIZE, ELFCOMPRESS_ZLIB, SHF_COMPRESSED } from './constants.ts';
import { Cursor, invalidElf } from './cursor.ts';
import type { ElfSection } from './read-elf.ts';

/** `sh_addralign` of a compressed section: the alignment of an Elf64_Chdr. */
export const CHDR_ALIGNMENT = 8;

/**
 * Returns the contents of a section with SHF_COMPRESSED.
 *
 * @param addralign alignment of the uncompressed contents, in bytes
 */
export function compressSection(contents: Uint8Array, addralign: number): Uint8Array {
  const compressed = deflateSync(contents, { level: constants.Z_BEST_COMPRESSION });
  const bytes = new Uint8Array(CHDR_SIZE + compressed.length);
  const cursor = new Cursor(bytes);
  cursor.writeU32(ELFCOMPRESS_ZLIB);
  cursor.writeU32(0); // ch_reserved
  cursor.writeU64(contents.length);
  cursor.writeU64(addralign);
  cursor.writeBytes(compressed);
  return bytes;
}

export function isCompressed({ flags }: Pick<ElfSection, 'flags'>): boolean {
  // A bit operation would lose the bits above 2^31.
  return Math.floor(flags / SHF_COMPRESSED) % 2 === 1;
}

/** Returns the range of a compressed section's zlib stream: offset from the start of the file and size, in bytes. */
export function compressedRange({ offset, size }: Pick<ElfSection, 'offset' | 'size'>): {
  offset: number;
  size: number;
} {
  return { offset: offset + CHDR_SIZE, size: size - CHDR_SIZE };
}

/**
 * Returns the contents of a section: inflated if the section is compressed, otherwise a view.
 *
 * @throws INVALID_ELF for another compression than zlib, a damaged stream, or a size that differs from the header
 */
export function sectionContents(section: ElfSection, file: string): Uint8Array {
  if (!isCompressed(section)) return section.data;
  const { data, offset, name } = section;
  const cursor = new Cursor(data, 0, file, offset);
  const type = cursor.readU32();
  if (type !== ELFCOMPRESS_ZLIB) {
    throw invalidElf(
      file,
      offset,
      `section ${name} to be compressed by ELFCOMPRESS_ZLIB (${ELFCOMPRESS_ZLIB})`,
      `ch_type ${type}`,
    );
  }
  cursor.skip(4); // ch_reserved
  const size = cursor.readU64();
  cursor.skip(8); // ch_addralign
  let contents: Uint8Array;
  try {
    // One byte more than the header says, to detect larger contents.
    contents = inflateSync(data.subarray(CHDR_SIZE), { maxOutputLength: size + 1 });
  } catch (cause) {
    const found = `a stream that zlib rejects (${messageOf(cause)})`;
    throw invalidElf(file, offset + CHDR_SIZE, `a zlib stream of ${size} bytes`, found, { cause });
  }
  if (contents.length !== size) {
    throw invalidElf(file, offset + CHDR_SIZE, `a zlib stream of ${size} bytes`, `${contents.length} bytes`);
  }
  return contents;
}
