/**
 * Writes ELF64 little-endian files. A file consists of, in this order:
 *
 * 1. the ELF header, and in ET_DYN the program headers;
 * 2. sections with the placement 'header' (the notes). One PT_LOAD covers the file from its start to their end,
 *    and one PT_NOTE covers the notes among them;
 * 3. sections with the placement 'segment', each in a PT_LOAD of its own, aligned to SEGMENT_ALIGNMENT;
 * 4. sections with the placement 'unloaded';
 * 5. .symtab, .strtab, .shstrtab, and the section headers.
 *
 * In ET_DYN every address equals the offset in the file, also for sections that are not loaded. So every
 * address that a tool prints is a place in the file. ET_REL has no program headers, no addresses, and only the
 * alignment that each section requires. The writer allocates the file once and copies each content once,
 * because contents may be very large.
 */
import { WasmPrecompileError } from '../common/error.ts';
import {
  EHDR_SIZE,
  ELFCLASS64,
  ELFDATA2LSB,
  ELFMAG,
  ET_DYN,
  EV_CURRENT,
  PF_R,
  PHDR_SIZE,
  PT_LOAD,
  PT_NOTE,
  SHDR_SIZE,
  SHN_UNDEF,
  SHT_NOTE,
  SHT_STRTAB,
  SHT_SYMTAB,
  STB_LOCAL,
  SYM_SIZE,
} from './constants.ts';
import type { ET_REL } from './constants.ts';
import { Cursor, alignUp } from './cursor.ts';
import { StringTable } from './string-table.ts';

/**
 * Bytes of the largest page size in use (AArch64 with 64 KiB pages). With this alignment every machine can map
 * the file.
 */
export const SEGMENT_ALIGNMENT = 65536;

export interface SectionInput {
  /** Unique within the file. */
  name: string;
  type: number;
  flags: number;
  /** Bytes. For a segment of ET_DYN the writer uses SEGMENT_ALIGNMENT instead. */
  addralign: number;
  /** Bytes of an entry; 0 if entries have no fixed size. */
  entsize: number;
  placement: 'header' | 'segment' | 'unloaded';
  contents: Uint8Array;
}

export interface SymbolInput {
  name: string;
  binding: number;
  type: number;
  /** Name of its section. */
  section: string;
  /** Bytes from the start of its section. */
  offset: number;
  /** Bytes. */
  size: number;
}

export interface ElfInput {
  type: typeof ET_DYN | typeof ET_REL;
  /** EM_X86_64, EM_AARCH64 or EM_NONE. */
  machine: number;
  /** EI_OSABI. */
  osabi: number;
  sections: readonly SectionInput[];
  /** The writer keeps their order, but writes local symbols first: the format requires it. */
  symbols: readonly SymbolInput[];
}

export interface ElfOutput {
  bytes: Uint8Array;
  /** By section name: the offset of its contents, in bytes from the start of the file. */
  offsets: ReadonlyMap<string, number>;
}

interface PlannedSection {
  name: string;
  nameOffset: number;
  type: number;
  flags: number;
  addralign: number;
  entsize: number;
  link: number;
  info: number;
  offset: number;
  size: number;
  placement: SectionInput['placement'];
  write(cursor: Cursor): void;
}

interface PlannedProgramHeader {
  type: number;
  offset: number;
  size: number;
  align: number;
}

/** @throws INVALID_ELF if two sections have the same name, or a symbol refers to a missing section */
export function writeElf(input: ElfInput): ElfOutput {
  const loadable = input.type === ET_DYN;
  const sections = planSections(input);
  const headerSections = sections.filter((section) => section.placement === 'header');
  const notes = headerSections.filter((section) => section.type === SHT_NOTE);
  const segments = sections.filter((section) => section.placement === 'segment');
  const programHeaderCount = loadable ? 1 + segments.length + Math.min(notes.length, 1) : 0;

  let position = EHDR_SIZE + programHeaderCount * PHDR_SIZE;
  for (const section of sections) {
    position = alignUp(position, section.addralign);
    section.offset = position;
    position += section.size;
  }
  const sectionHeadersOffset = alignUp(position, 8);
  const size = sectionHeadersOffset + (sections.length + 1) * SHDR_SIZE;

  const programHeaders: PlannedProgramHeader[] = [];
  if (loadable) {
    const headerSize = Math.max(EHDR_SIZE + programHeaderCount * PHDR_SIZE, ...headerSections.map(endOf));
    programHeaders.push({ type: PT_LOAD, offset: 0, size: headerSize, align: SEGMENT_ALIGNMENT });
    for (const segment of segments) {
      programHeaders.push({
        type: PT_LOAD,
        offset: segment.offset,
        size: segment.size,
        align: SEGMENT_ALIGNMENT,
      });
    }
    if (notes.length > 0) {
      const offset = Math.min(...notes.map((note) => note.offset));
      const align = Math.max(...notes.map((note) => note.addralign));
      programHeaders.push({ type: PT_NOTE, offset, size: Math.max(...notes.map(endOf)) - offset, align });
    }
  }

  const bytes = new Uint8Array(size);
  const cursor = new Cursor(bytes);
  writeHeader(cursor, input, programHeaders.length, sectionHeadersOffset, sections.length + 1);
  for (const programHeader of programHeaders) {
    writeProgramHeader(cursor, programHeader);
  }
  for (const section of sections) {
    cursor.offset = section.offset;
    section.write(cursor);
  }
  cursor.offset = sectionHeadersOffset + SHDR_SIZE; // the first one is SHT_NULL, all zero
  for (const section of sections) {
    writeSectionHeader(cursor, section, loadable);
  }
  return { bytes, offsets: new Map(sections.map(({ name, offset }) => [name, offset])) };
}

/** Returns all sections in file order, with the tables that the writer adds. Their offsets are not assigned yet. */
function planSections(input: ElfInput): PlannedSection[] {
  const order = ['header', 'segment', 'unloaded'] as const;
  const ordered = order.flatMap((placement) =>
    input.sections.filter((section) => section.placement === placement),
  );
  const sectionNames = new StringTable();
  const strings = new StringTable();
  const symbols = [
    ...input.symbols.filter((symbol) => symbol.binding === STB_LOCAL),
    ...input.symbols.filter((symbol) => symbol.binding !== STB_LOCAL),
  ];
  const nameOffsets = symbols.map((symbol) => strings.add(symbol.name));
  const localCount = symbols.findIndex((symbol) => symbol.binding !== STB_LOCAL);

  const sections: PlannedSection[] = ordered.map(({ contents, ...section }) => ({
    ...section,
    nameOffset: sectionNames.add(section.name),
    addralign:
      input.type === ET_DYN && section.placement === 'segment' ? SEGMENT_ALIGNMENT : section.addralign,
    link: 0,
    info: 0,
    offset: 0,
    size: contents.length,
    write: (cursor) => cursor.writeBytes(contents),
  }));
  const indexes = new Map(sections.map((section, index) => [section.name, index + 1]));
  if (indexes.size < sections.length) {
    throw new WasmPrecompileError(
      'INVALID_ELF',
      `Two sections have the same name: ${ordered.map(({ name }) => name).join(', ')}.`,
    );
  }
  const table = { flags: 0, link: 0, info: 0, offset: 0, placement: 'unloaded' } as const;
  const symtabIndex = sections.length + 1;
  sections.push(
    {
      ...table,
      name: '.symtab',
      nameOffset: sectionNames.add('.symtab'),
      type: SHT_SYMTAB,
      addralign: 8,
      entsize: SYM_SIZE,
      link: symtabIndex + 1,
      info: 1 + (localCount < 0 ? symbols.length : localCount),
      size: (1 + symbols.length) * SYM_SIZE,
      write(cursor) {
        cursor.offset += SYM_SIZE; // the first one is the undefined symbol, all zero
        symbols.forEach((symbol, index) => {
          const sectionIndex = indexes.get(symbol.section) ?? SHN_UNDEF;
          const base = input.type === ET_DYN ? sections[sectionIndex - 1]?.offset : 0;
          if (sectionIndex === SHN_UNDEF || base === undefined) {
            throw new WasmPrecompileError(
              'INVALID_ELF',
              `The symbol ${symbol.name} refers to the section ${symbol.section}, which does not exist.`,
            );
          }
          cursor.writeU32(nameOffsets[index] ?? 0);
          cursor.writeU8((symbol.binding << 4) | symbol.type);
          cursor.writeU8(0); // st_other: STV_DEFAULT
          cursor.writeU16(sectionIndex);
          cursor.writeU64(base + symbol.offset);
          cursor.writeU64(symbol.size);
        });
      },
    },
    {
      ...table,
      name: '.strtab',
      nameOffset: sectionNames.add('.strtab'),
      type: SHT_STRTAB,
      addralign: 1,
      entsize: 0,
      size: strings.size,
      write: (cursor) => strings.write(cursor),
    },
    {
      ...table,
      name: '.shstrtab',
      nameOffset: sectionNames.add('.shstrtab'),
      type: SHT_STRTAB,
      addralign: 1,
      entsize: 0,
      size: sectionNames.size,
      write: (cursor) => sectionNames.write(cursor),
    },
  );
  return sections;
}

function endOf(section: { offset: number; size: number }): number {
  return section.offset + section.size;
}

function writeHeader(
  cursor: Cursor,
  { type, machine, osabi }: ElfInput,
  phnum: number,
  shoff: number,
  shnum: number,
): void {
  cursor.writeBytes(Buffer.from(ELFMAG, 'latin1'));
  cursor.writeU8(ELFCLASS64);
  cursor.writeU8(ELFDATA2LSB);
  cursor.writeU8(EV_CURRENT);
  cursor.writeU8(osabi);
  cursor.offset = 16; // EI_ABIVERSION and padding stay 0
  cursor.writeU16(type);
  cursor.writeU16(machine);
  cursor.writeU32(EV_CURRENT);
  cursor.writeU64(0); // e_entry
  cursor.writeU64(phnum > 0 ? EHDR_SIZE : 0);
  cursor.writeU64(shoff);
  cursor.writeU32(0); // e_flags
  cursor.writeU16(EHDR_SIZE);
  cursor.writeU16(phnum > 0 ? PHDR_SIZE : 0);
  cursor.writeU16(phnum);
  cursor.writeU16(SHDR_SIZE);
  cursor.writeU16(shnum);
  cursor.writeU16(shnum - 1); // e_shstrndx
}

function writeProgramHeader(cursor: Cursor, { type, offset, size, align }: PlannedProgramHeader): void {
  cursor.writeU32(type);
  cursor.writeU32(PF_R);
  cursor.writeU64(offset);
  cursor.writeU64(offset); // p_vaddr
  cursor.writeU64(offset); // p_paddr
  cursor.writeU64(size); // p_filesz
  cursor.writeU64(size); // p_memsz
  cursor.writeU64(align);
}

function writeSectionHeader(cursor: Cursor, section: PlannedSection, loadable: boolean): void {
  cursor.writeU32(section.nameOffset);
  cursor.writeU32(section.type);
  cursor.writeU64(section.flags);
  cursor.writeU64(loadable ? section.offset : 0);
  cursor.writeU64(section.offset);
  cursor.writeU64(section.size);
  cursor.writeU32(section.link);
  cursor.writeU32(section.info);
  cursor.writeU64(section.addralign);
  cursor.writeU64(section.entsize);
}
