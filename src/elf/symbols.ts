import { SHT_STRTAB, SHT_SYMTAB, SYM_SIZE } from './constants.ts';
import { Cursor, invalidElf } from './cursor.ts';
import type { ElfFile } from './read-elf.ts';

/** An entry of the symbol table (Elf64_Sym). */
export interface ElfSymbol {
  name: string;
  /** STB_LOCAL, STB_GLOBAL … */
  binding: number;
  /** STT_OBJECT, STT_FUNC … */
  type: number;
  /** Index of its section, or a reserved value from SHN_LORESERVE on. */
  sectionIndex: number;
  /** An address. In ET_REL: bytes from the start of its section. */
  value: number;
  /** Bytes. */
  size: number;
}

/**
 * Reads the symbols of the file's SHT_SYMTAB section, without the empty first one. Empty if there is no such section.
 *
 * @throws INVALID_ELF if the table, its string table or one of its names is out of bounds
 */
export function readSymbols(elf: ElfFile): ElfSymbol[] {
  const { file } = elf;
  const table = elf.sections.find((section) => section.type === SHT_SYMTAB);
  if (!table) {
    return [];
  }
  const strings = elf.sections[table.link];
  if (!strings || strings.type !== SHT_STRTAB) {
    throw invalidElf(
      file,
      table.headerOffset,
      `${table.name} with a string table in sh_link`,
      `section ${table.link}`,
    );
  }
  if (table.size % SYM_SIZE !== 0) {
    throw invalidElf(
      file,
      table.offset,
      `${table.name} in entries of ${SYM_SIZE} bytes`,
      `${table.size} bytes`,
    );
  }
  const names = Buffer.from(strings.data.buffer, strings.data.byteOffset, strings.data.byteLength);
  const cursor = new Cursor(table.data, 0, file, table.offset);
  const symbols: ElfSymbol[] = [];
  while (cursor.remaining > 0) {
    const at = table.offset + cursor.offset;
    const nameOffset = cursor.readU32();
    const info = cursor.readU8();
    cursor.skip(1); // st_other
    const sectionIndex = cursor.readU16();
    const value = cursor.readU64();
    const size = cursor.readU64();
    const nameEnd = names.indexOf(0, nameOffset);
    if (nameOffset >= names.length || nameEnd < 0) {
      throw invalidElf(
        file,
        at,
        `a symbol with a name in ${strings.name} (${strings.size} bytes)`,
        `st_name ${nameOffset}`,
      );
    }
    const name = names.toString('utf8', nameOffset, nameEnd);
    symbols.push({ name, binding: info >> 4, type: info & 0xf, sectionIndex, value, size });
  }
  return symbols.slice(1);
}
