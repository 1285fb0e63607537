// The names and values of elf.h that this project uses: System V ABI (gabi 4.1, chapters 4 and 5), its x86-64
// and AArch64 supplements, and GNU extensions.

export const ELFMAG = '\x7fELF';
/** Indexes into e_ident. */
export const EI_CLASS = 4;
export const EI_DATA = 5;
export const EI_VERSION = 6;
export const EI_OSABI = 7;
export const ELFCLASS64 = 2;
export const ELFDATA2LSB = 1;
export const EV_CURRENT = 1;
export const ELFOSABI_NONE = 0;

export const ET_REL = 1;
export const ET_DYN = 3;

export const EM_NONE = 0;
export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;

export const PT_LOAD = 1;
export const PT_NOTE = 4;
export const PF_R = 4;

export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;

export const SHF_ALLOC = 0x2;
export const SHF_EXECINSTR = 0x4;
export const SHF_MERGE = 0x10;
export const SHF_STRINGS = 0x20;
/**
 * The contents start with an Elf64_Chdr. Must not be combined with SHF_ALLOC (gabi chapter 4, "Compressed
 * Sections").
 */
export const SHF_COMPRESSED = 0x800;
/** The linker does not copy the section into its output (GNU and Solaris). */
export const SHF_EXCLUDE = 0x80000000;

/** `ch_type` of an Elf64_Chdr whose contents are a zlib stream (RFC 1950). */
export const ELFCOMPRESS_ZLIB = 1;

export const SHN_UNDEF = 0;
export const SHN_LORESERVE = 0xff00;

export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;

/** Owner name and type of the note that holds a build id. */
export const ELF_NOTE_GNU = 'GNU';
export const NT_GNU_BUILD_ID = 3;

/** Sizes in bytes of the structures Elf64_Ehdr, Elf64_Phdr, Elf64_Shdr, Elf64_Sym, Elf64_Nhdr and Elf64_Chdr. */
export const EHDR_SIZE = 64;
export const PHDR_SIZE = 56;
export const SHDR_SIZE = 64;
export const SYM_SIZE = 24;
export const NHDR_SIZE = 12;
export const CHDR_SIZE = 24;
