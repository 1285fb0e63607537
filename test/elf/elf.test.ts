import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ELFOSABI_NONE,
  EM_AARCH64,
  EM_NONE,
  EM_X86_64,
  ET_DYN,
  ET_REL,
  PF_R,
  PT_LOAD,
  PT_NOTE,
  SHF_ALLOC,
  SHF_EXCLUDE,
  SHF_EXECINSTR,
  SHT_NOTE,
  SHT_PROGBITS,
  SHT_SYMTAB,
  STB_GLOBAL,
  STB_LOCAL,
  STT_FUNC,
  STT_OBJECT,
} from '../../src/elf/constants.ts';
import { descriptorOffset, encodeNotes, readNotes } from '../../src/elf/notes.ts';
import { readElf } from '../../src/elf/read-elf.ts';
import { readSymbols } from '../../src/elf/symbols.ts';
import {
  type ElfInput,
  SEGMENT_ALIGNMENT,
  type SectionInput,
  type SymbolInput,
  writeElf,
} from '../../src/elf/write-elf.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'elf-'));
afterAll(() => rmSync(directory, { recursive: true }));

const NOTE = { name: 'owner', type: 7, descriptor: Uint8Array.of(1, 2, 3) };

function section(name: string, changes: Partial<SectionInput> = {}): SectionInput {
  return {
    name,
    type: SHT_PROGBITS,
    flags: 0,
    addralign: 1,
    entsize: 0,
    placement: 'unloaded',
    contents: Uint8Array.of(0xc3),
    ...changes,
  };
}

function symbol(name: string, changes: Partial<SymbolInput> = {}): SymbolInput {
  return { name, binding: STB_LOCAL, type: STT_FUNC, section: '.text.a', offset: 0, size: 1, ...changes };
}

function input(changes: Partial<ElfInput> = {}): ElfInput {
  return {
    type: ET_DYN,
    machine: EM_X86_64,
    osabi: ELFOSABI_NONE,
    sections: [
      section('.info', { contents: Buffer.from('twelve bytes') }),
      section('.data.a', {
        flags: SHF_ALLOC,
        placement: 'segment',
        contents: new Uint8Array(70_000).fill(9),
      }),
      section('.text.a', { flags: SHF_ALLOC | SHF_EXECINSTR, placement: 'segment', addralign: 16 }),
      section('.note.a', {
        type: SHT_NOTE,
        flags: SHF_ALLOC,
        addralign: 4,
        placement: 'header',
        contents: encodeNotes([NOTE, { ...NOTE, name: 'other', type: 8 }]),
      }),
    ],
    symbols: [symbol('global', { binding: STB_GLOBAL }), symbol('local'), symbol('größer')],
    ...changes,
  };
}

function write(changes: Partial<ElfInput> = {}): { file: string; bytes: Uint8Array } {
  const { bytes } = writeElf(input(changes));
  const file = path.join(directory, 'file');
  writeFileSync(file, bytes);
  return { file, bytes };
}

function readelf(file: string): string {
  const { status, stdout, stderr } = spawnSync('readelf', ['-aW', file], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).not.toMatch(/Warning|Error|readelf:/);
  expect(status).toBe(0);
  return stdout;
}

describe('writeElf', () => {
  it.each([
    ['ET_DYN', ET_DYN],
    ['ET_REL', ET_REL],
  ] as const)('writes %s that is valid for readelf', (name, type) => {
    const text = readelf(write({ type }).file);
    expect(text).toMatch(new RegExp(`Type: +${name.slice(3)} `));
  });

  it.each([
    ['Advanced Micro Devices X86-64', EM_X86_64],
    ['AArch64', EM_AARCH64],
    ['None', EM_NONE],
  ])('writes the machine %s', (name, machine) => {
    expect(readelf(write({ machine }).file)).toMatch(new RegExp(`Machine: +${name}\n`));
  });

  it('writes header sections first, then segments, then unloaded sections', () => {
    const { sections } = readElf(write().bytes);
    expect(sections.map(({ name }) => name)).toEqual([
      '',
      '.note.a',
      '.data.a',
      '.text.a',
      '.info',
      '.symtab',
      '.strtab',
      '.shstrtab',
    ]);
  });

  it('writes addresses equal to offsets in ET_DYN', () => {
    const { sections, programHeaders } = readElf(write().bytes);
    for (const { address, offset, addralign, flags, type } of sections) {
      expect(address).toBe(offset);
      if (flags & SHF_ALLOC && type !== SHT_NOTE) {
        expect(addralign).toBe(SEGMENT_ALIGNMENT);
        expect(offset % SEGMENT_ALIGNMENT).toBe(0);
      }
    }
    for (const { offset, vaddr, filesz, memsz } of programHeaders) {
      expect(vaddr).toBe(offset);
      expect(memsz).toBe(filesz);
    }
  });

  it('writes a PT_LOAD for each segment; the first one covers the header and the notes', () => {
    const { sections, programHeaders } = readElf(write().bytes);
    const [, notes, data, text] = sections;
    const notesEnd = (notes?.offset ?? 0) + (notes?.size ?? 0);
    const load = { type: PT_LOAD, flags: PF_R, align: SEGMENT_ALIGNMENT };
    expect(programHeaders).toMatchObject([
      { ...load, offset: 0, filesz: notesEnd },
      { ...load, offset: data?.offset, filesz: 70_000 },
      { ...load, offset: text?.offset, filesz: 1 },
      { type: PT_NOTE, flags: PF_R, offset: notes?.offset, filesz: notes?.size, align: 4 },
    ]);
  });

  it('writes ET_REL without program headers and addresses, with the requested alignment', () => {
    const { sections, programHeaders } = readElf(write({ type: ET_REL }).bytes);
    expect(programHeaders).toEqual([]);
    expect(sections.every(({ address }) => address === 0)).toBe(true);
    expect(sections.find(({ name }) => name === '.text.a')?.addralign).toBe(16);
  });

  it('writes local symbols first, and the index of the first global one in sh_info', () => {
    const elf = readElf(write().bytes);
    expect(elf.sections.find(({ type }) => type === SHT_SYMTAB)).toMatchObject({
      info: 3,
      link: 6,
      entsize: 24,
    });
    const text = elf.sections[3];
    expect(readSymbols(elf)).toEqual(
      [
        { name: 'local', binding: STB_LOCAL },
        { name: 'größer', binding: STB_LOCAL },
        { name: 'global', binding: STB_GLOBAL },
      ].map((entry) => ({ ...entry, type: STT_FUNC, sectionIndex: 3, value: text?.address, size: 1 })),
    );
  });

  it('writes symbol values relative to their sections in ET_REL', () => {
    const symbols = [symbol('at', { section: '.data.a', offset: 500, size: 3, type: STT_OBJECT })];
    const elf = readElf(write({ type: ET_REL, symbols }).bytes);
    expect(readSymbols(elf)).toEqual([
      { name: 'at', binding: STB_LOCAL, type: STT_OBJECT, sectionIndex: 2, value: 500, size: 3 },
    ]);
  });

  it('keeps long names, and stores equal names once', () => {
    const name = 'x'.repeat(100_000);
    const elf = readElf(write({ symbols: [symbol(name), symbol(name), symbol('')] }).bytes);
    expect(readSymbols(elf).map((entry) => entry.name)).toEqual([name, name, '']);
    expect(elf.sections.find((entry) => entry.name === '.strtab')?.size).toBe(100_002);
  });

  it('writes flags above 2^31', () => {
    const sections = [section('.a', { flags: SHF_EXCLUDE })];
    const { file, bytes } = write({ type: ET_REL, sections, symbols: [] });
    expect(readelf(file)).toMatch(/\.a +PROGBITS .* E /);
    expect(readElf(bytes).sections[1]?.flags).toBe(SHF_EXCLUDE);
  });

  it('rejects a symbol without a section and two sections with one name', () => {
    expect(() => write({ symbols: [symbol('lost', { section: '.none' })] })).toThrow(/lost.*\.none/);
    expect(() => write({ sections: [section('.a'), section('.a')] })).toThrow(
      expect.objectContaining({ code: 'INVALID_ELF' }),
    );
  });
});

describe('readElf', () => {
  const gcc = path.join(directory, 'program');

  it('reads sections, program headers, symbols and notes as readelf does', () => {
    writeFileSync(`${gcc}.c`, 'int answer = 42; int main(void) { return answer; }');
    execFileSync('gcc', ['-Wl,--build-id', `${gcc}.c`, '-o', gcc]);
    const elf = readElf(readFileSync(gcc), gcc);

    const lines = readelf(gcc);
    for (const { name, address, offset, size, entsize, addralign } of elf.sections.slice(1)) {
      const numbers = [address.toString(16).padStart(16, '0'), pad(offset), pad(size), pad(entsize, 2)];
      expect(lines).toMatch(
        new RegExp(`\\] ${name.replaceAll('.', '\\.')} +\\S+ +${numbers.join(' ')} .* ${addralign}\n`),
      );
    }
    for (const { offset, vaddr, align } of elf.programHeaders) {
      expect(lines).toMatch(
        new RegExp(` 0x${pad(offset)} 0x${vaddr.toString(16).padStart(16, '0')} .*0x${align.toString(16)}\n`),
      );
    }
    expect(readSymbols(elf)).toContainEqual(
      expect.objectContaining({ name: 'answer', binding: STB_GLOBAL, type: STT_OBJECT, size: 4 }),
    );
    const note = elf.sections.find(({ name }) => name === '.note.gnu.build-id');
    const [buildId] = note ? readNotes(note, gcc) : [];
    expect(lines).toContain(`Build ID: ${Buffer.from(buildId?.descriptor ?? []).toString('hex')}`);
    expect(buildId?.name).toBe('GNU');
    expect(elf.sections.find(({ name }) => name === '.bss')?.data.length).toBe(0);
  });

  it('throws an error with file, offset, the expected and the found bytes', () => {
    expectInvalid(
      Buffer.from('\0asm'),
      /^some\.elf: expected the ELF magic .* at offset 0x0, found "\\u0000asm"/,
    );
  });

  it('rejects files that are not ELF, not 64-bit or not little-endian', () => {
    expectInvalid(new Uint8Array(), /ELF magic/);
    expectInvalid(Buffer.from('\x7fELF\x02\x01\x01'), /header of 64 bytes.*found a file of 7 bytes/);
    expectInvalid(damaged(4, 1, 1), /ELFCLASS64 2 at offset 0x4, found 1/);
    expectInvalid(damaged(5, 2, 1), /ELFDATA2LSB/);
    expectInvalid(damaged(6, 0, 1), /EV_CURRENT/);
    expectInvalid(damaged(20, 2, 4), /e_version/);
  });

  it('rejects headers out of bounds', () => {
    expectInvalid(damaged(32, 1e9, 4), /program headers to end within the file/);
    expectInvalid(damaged(40, 1e9, 4), /section headers to end within the file/);
    expectInvalid(damaged(46, 0xffff), /64-bit number below 2\^53 at offset 0x28/);
    expectInvalid(damaged(54, 1), /e_phentsize 56/);
    expectInvalid(damaged(58, 0), /e_shentsize 64/);
    expectInvalid(damaged(60, 0), /section headers at offset 0x3c, found none/);
    expectInvalid(damaged(62, 99), /e_shstrndx below the number of sections \(8\)/);
    expectInvalid(damaged(62, 1), /SHT_STRTAB for section names/);
    expectInvalid(damaged(64 + 32, 1e9, 4), /program header 0 to end within the file/);
  });

  it('rejects sections, names and symbols out of bounds', () => {
    expectInvalid(damaged(header(3), 1e6, 4), /section name within \d+ bytes/);
    expectInvalid(damaged(header(3) + 32, 1e9, 4), /section \.text\.a to end within the file/);
    expectInvalid(damaged(header(5) + 40, 3, 4), /\.symtab with a string table in sh_link.*found section 3/);
    expectInvalid(damaged(header(5) + 32, 25, 4), /entries of 24 bytes.*found 25 bytes/);
    const symtab = readElf(write().bytes).sections[5]?.offset ?? 0;
    expectInvalid(damaged(symtab + 24, 1e6, 4), /symbol with a name in \.strtab.*found st_name 1000000/);
  });

  it('rejects every truncated file', () => {
    const { bytes } = write();
    for (let size = 0; size < bytes.length; size += size < 1000 || size > bytes.length - 1000 ? 1 : 997) {
      expectInvalid(bytes.subarray(0, size), /some\.elf/);
    }
  });
});

describe('notes', () => {
  const place = { offset: 0x100 };

  it('are read as they were written, padded to 4 bytes', () => {
    const data = encodeNotes([NOTE, NOTE]);
    expect(data.length).toBe(2 * (12 + 8 + 4));
    expect(data[descriptorOffset(NOTE.name)]).toBe(1);
    expect(readNotes({ data, ...place }, 'f')).toEqual([NOTE, NOTE]);
  });

  it('are rejected if they do not fit, with the offset in the file', () => {
    const data = encodeNotes([NOTE]);
    for (let size = 1; size < data.length - 1; size += 1) {
      const cut = { data: data.subarray(0, size), ...place };
      expect(() => readNotes(cut, 'f')).toThrow(invalid(/^f: expected/));
    }
    expect(() => readNotes({ data: data.fill(0xff, 0, 4), ...place }, 'f')).toThrow(
      invalid(/4294967295 more bytes at offset 0x10c/),
    );
    expect(() => readNotes({ data: data.fill(0, 0, 4), ...place }, 'f')).toThrow(invalid(/ends with a NUL/));
  });
});

function pad(value: number, digits = 6): string {
  return value.toString(16).padStart(digits, '0');
}

/** Matches the error for a damaged file. */
function invalid(message: RegExp): unknown {
  return expect.objectContaining({ code: 'INVALID_ELF', message: expect.stringMatching(message) });
}

function expectInvalid(bytes: Uint8Array, message: RegExp): void {
  expect(() => readSymbols(readElf(bytes, 'some.elf'))).toThrow(invalid(message));
}

/** The file of `input()` with another number of `size` bytes at `offset`. */
function damaged(offset: number, value: number, size = 2): Buffer {
  const bytes = Buffer.from(write().bytes);
  bytes.writeUIntLE(value, offset, size);
  return bytes;
}

/** Offset of a section header in the file of `input()`. */
function header(index: number): number {
  return Number(Buffer.from(write().bytes).readBigUInt64LE(40)) + index * 64;
}
