/**
 * Reads ELF64 little-endian files.
 *
 * elfy (https://github.com/indutny/elfy, 1.0.0) reads the header, the program headers and the section headers,
 * and resolves section names. This file corrects and completes its result from the file's bytes:
 *
 * 1. In 64-bit section headers elfy reads sh_addralign and sh_entsize 2 bytes too early (at 46 and 54, not 48
 *    and 56).
 * 2. It reads EI_VERSION as EI_OSABI, and has no names for OSABI 201 and most machines.
 * 3. It maps types and flags to names. This loses the bits above 2^31, and values without a name become
 *    `undefined`. So this file reads e_type, e_machine, p_type, p_flags, sh_type and sh_flags again, as
 *    numbers.
 * 4. It truncates the data of a section that reaches past the end of the file, without an error. For other
 *    damage it throws an assertion, a RangeError or a TypeError without file and offset. So this file checks
 *    beforehand everything that elfy relies on, and afterwards the bounds. It also checks section names: elfy
 *    returns an empty name for one out of bounds.
 * 5. It reads no symbols (symbols.ts) and no notes (notes.ts).
 */
import elfy from 'elfy';
import { messageOf } from '../common/error.ts';
import {
  EHDR_SIZE,
  EI_CLASS,
  EI_DATA,
  EI_OSABI,
  EI_VERSION,
  ELFCLASS64,
  ELFDATA2LSB,
  ELFMAG,
  EV_CURRENT,
  PHDR_SIZE,
  SHDR_SIZE,
  SHT_NOBITS,
  SHT_NULL,
  SHT_STRTAB,
} from './constants.ts';
import { Cursor, invalidElf } from './cursor.ts';

export interface ElfSection {
  name: string;
  /** SHT_PROGBITS, SHT_NOTE … */
  type: number;
  /** A combination of SHF_ALLOC, SHF_EXECINSTR … */
  flags: number;
  address: number;
  /** Bytes from the start of the file. */
  offset: number;
  /** Bytes. */
  size: number;
  link: number;
  info: number;
  addralign: number;
  entsize: number;
  /** A view of the file; empty for SHT_NOBITS. */
  data: Uint8Array;
  /** Offset of its section header, in bytes from the start of the file: for error messages. */
  headerOffset: number;
}

export interface ElfProgramHeader {
  /** PT_LOAD, PT_NOTE … */
  type: number;
  /** A combination of PF_R … */
  flags: number;
  offset: number;
  vaddr: number;
  filesz: number;
  memsz: number;
  align: number;
}

export interface ElfFile {
  /** How messages name the file. */
  file: string;
  /** EI_OSABI. */
  osabi: number;
  /** ET_REL, ET_DYN … */
  type: number;
  /** EM_X86_64 … */
  machine: number;
  /** By section index. The first one is the empty SHT_NULL section. */
  sections: ElfSection[];
  programHeaders: ElfProgramHeader[];
}

/** The fields of the ELF header that this file uses. */
interface Header {
  osabi: number;
  type: number;
  machine: number;
  phoff: number;
  shoff: number;
  shstrndx: number;
}

/**
 * Reads headers, sections and program headers. Section data are views of `bytes`.
 *
 * @param file how messages name the file
 * @throws INVALID_ELF for anything but a complete ELF64 little-endian file with section headers
 */
export function readElf(bytes: Uint8Array, file = 'ELF file'): ElfFile {
  const { phoff, shoff, shstrndx, ...header } = readHeader(bytes, file);
  const { programs, sections } = parse(bytes, file);
  const namesSize = sections[shstrndx]?.size ?? 0;
  return {
    file,
    ...header,
    sections: sections.map((section, index) => {
      const at = shoff + index * SHDR_SIZE;
      const cursor = new Cursor(bytes, at, file);
      const nameOffset = cursor.readU32();
      if (nameOffset >= namesSize) {
        throw invalidElf(
          file,
          at,
          `a section name within ${namesSize} bytes of names`,
          `sh_name ${nameOffset}`,
        );
      }
      const type = cursor.readU32();
      const flags = cursor.readU64();
      cursor.offset = at + 48;
      const addralign = cursor.readU64();
      const entsize = cursor.readU64();
      const { name, addr: address, off: offset, size, link, info } = section;
      const occupies = type !== SHT_NULL && type !== SHT_NOBITS;
      if (occupies) {
        checkRange(bytes, file, at, `section ${name || index}`, offset, size);
      }
      const data = occupies ? bytes.subarray(offset, offset + size) : new Uint8Array();
      return {
        name,
        type,
        flags,
        address,
        offset,
        size,
        link,
        info,
        addralign,
        entsize,
        data,
        headerOffset: at,
      };
    }),
    programHeaders: programs.map((program, index) => {
      const at = phoff + index * PHDR_SIZE;
      const cursor = new Cursor(bytes, at, file);
      const type = cursor.readU32();
      const flags = cursor.readU32();
      const { offset, vaddr, filesz, memsz, align } = program;
      checkRange(bytes, file, at, `program header ${index}`, offset, filesz);
      return { type, flags, offset, vaddr, filesz, memsz, align };
    }),
  };
}

function parse(bytes: Uint8Array, file: string) {
  try {
    return elfy.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).body;
  } catch (cause) {
    throw invalidElf(file, 0, 'a well-formed ELF file', `one that elfy rejects (${messageOf(cause)})`, {
      cause,
    });
  }
}

/** Reads the ELF header and checks everything that elfy relies on. */
function readHeader(bytes: Uint8Array, file: string): Header {
  const expect = (offset: number, what: string, expected: number, found: number | undefined) => {
    if (found !== expected) {
      throw invalidElf(
        file,
        offset,
        `${what} ${expected}`,
        found === undefined ? 'the end of the file' : String(found),
      );
    }
  };
  const magic = Buffer.from(bytes.subarray(0, ELFMAG.length)).toString('latin1');
  if (magic !== ELFMAG) {
    throw invalidElf(file, 0, 'the ELF magic "\\x7fELF"', JSON.stringify(magic));
  }
  if (bytes.length < EHDR_SIZE) {
    throw invalidElf(file, 0, `an ELF header of ${EHDR_SIZE} bytes`, `a file of ${bytes.length} bytes`);
  }
  expect(EI_CLASS, 'ELFCLASS64', ELFCLASS64, bytes[EI_CLASS]);
  expect(EI_DATA, 'ELFDATA2LSB', ELFDATA2LSB, bytes[EI_DATA]);
  expect(EI_VERSION, 'EV_CURRENT', EV_CURRENT, bytes[EI_VERSION]);

  const cursor = new Cursor(bytes, 16, file);
  const type = cursor.readU16();
  const machine = cursor.readU16();
  expect(cursor.offset, 'e_version', EV_CURRENT, cursor.readU32());
  cursor.skip(8); // e_entry
  const phoff = cursor.readU64();
  const shoff = cursor.readU64();
  cursor.skip(4); // e_flags
  expect(cursor.offset, 'e_ehsize', EHDR_SIZE, cursor.readU16());
  const phentsize = cursor.readU16();
  const phnum = cursor.readU16();
  const shentsize = cursor.readU16();
  const shnum = cursor.readU16();
  const shstrndx = cursor.readU16();

  if (phnum > 0) {
    expect(54, 'e_phentsize', PHDR_SIZE, phentsize);
    checkRange(bytes, file, 32, 'the program headers', phoff, phnum * PHDR_SIZE);
  }
  if (shnum === 0 || shoff === 0) {
    throw invalidElf(file, 60, 'section headers', 'none');
  }
  expect(58, 'e_shentsize', SHDR_SIZE, shentsize);
  checkRange(bytes, file, 40, 'the section headers', shoff, shnum * SHDR_SIZE);
  if (shstrndx >= shnum) {
    throw invalidElf(file, 62, `e_shstrndx below the number of sections (${shnum})`, String(shstrndx));
  }
  const namesHeader = shoff + shstrndx * SHDR_SIZE;
  expect(
    namesHeader + 4,
    'SHT_STRTAB for section names',
    SHT_STRTAB,
    new Cursor(bytes, namesHeader + 4, file).readU32(),
  );
  return { osabi: bytes[EI_OSABI] ?? 0, type, machine, phoff, shoff, shstrndx };
}

function checkRange(
  bytes: Uint8Array,
  file: string,
  at: number,
  what: string,
  offset: number,
  size: number,
): void {
  if (offset + size > bytes.length) {
    throw invalidElf(
      file,
      at,
      `${what} to end within the file (${bytes.length} bytes)`,
      `${size} bytes from offset ${offset}`,
    );
  }
}
