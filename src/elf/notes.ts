import { NHDR_SIZE } from './constants.ts';
import { Cursor, alignUp, invalidElf } from './cursor.ts';

/** One entry of an SHT_NOTE section (gabi chapter 5, "Note Section"). */
export interface ElfNote {
  /** The owner, in ASCII, without the NUL that ends it in the file. */
  name: string;
  type: number;
  descriptor: Uint8Array;
}

/** Bytes that name and descriptor are padded to. GNU tools expect this in sections with sh_addralign 4. */
export const NOTE_ALIGNMENT = 4;

/** Returns the offset of the descriptor of a section's first note, in bytes from the start of the section. */
export function descriptorOffset(name: string): number {
  return NHDR_SIZE + alignUp(name.length + 1, NOTE_ALIGNMENT);
}

/** Returns the contents of an SHT_NOTE section. */
export function encodeNotes(notes: readonly ElfNote[]): Uint8Array {
  const sizes = notes.map(
    ({ name, descriptor }) => descriptorOffset(name) + alignUp(descriptor.length, NOTE_ALIGNMENT),
  );
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  const cursor = new Cursor(bytes);
  for (const { name, type, descriptor } of notes) {
    cursor.writeU32(name.length + 1);
    cursor.writeU32(descriptor.length);
    cursor.writeU32(type);
    cursor.writeString(name);
    cursor.offset = alignUp(cursor.offset, NOTE_ALIGNMENT);
    cursor.writeBytes(descriptor);
    cursor.offset = alignUp(cursor.offset, NOTE_ALIGNMENT);
  }
  return bytes;
}

/**
 * Reads the notes of an SHT_NOTE section. Descriptors are views.
 *
 * @param section its contents, and its offset in the file in bytes
 * @throws INVALID_ELF if an entry does not fit into the section
 */
export function readNotes(section: { data: Uint8Array; offset: number }, file: string): ElfNote[] {
  const cursor = new Cursor(section.data, 0, file, section.offset);
  const notes: ElfNote[] = [];
  while (cursor.remaining > 0) {
    const at = section.offset + cursor.offset;
    const nameSize = cursor.readU32();
    const descriptorSize = cursor.readU32();
    const type = cursor.readU32();
    const name = readPadded(cursor, nameSize);
    if (nameSize === 0 || name.at(-1) !== 0) {
      throw invalidElf(file, at, 'a note whose owner name ends with a NUL', `a name of ${nameSize} bytes`);
    }
    const descriptor = readPadded(cursor, descriptorSize);
    notes.push({ name: Buffer.from(name.subarray(0, -1)).toString('latin1'), type, descriptor });
  }
  return notes;
}

/** Reads bytes and their padding. The padding after the last descriptor may be missing: some tools omit it. */
function readPadded(cursor: Cursor, size: number): Uint8Array {
  const bytes = cursor.readBytes(size);
  cursor.skip(Math.min(alignUp(size, NOTE_ALIGNMENT) - size, cursor.remaining));
  return bytes;
}
