// Reads an artifact whole and checks it, in this order, so that the first message says the most:
//
// 1. that it is ELF (`elf/read.ts`), with the header, the notes and the format version of an artifact;
// 2. that each segment has its CRC-32: names the damaged segment;
// 3. that the file has its build id: whatever else was changed;
// 4. what the rest says, which is as it was written by now, but perhaps by somebody else.

import { crc32 } from 'node:zlib';
import { ELF_NOTE_GNU, ET_DYN, ET_REL, NT_GNU_BUILD_ID, STB_LOCAL, STT_FUNC } from '../elf/constants.ts';
import { compressedPart, isCompressed, sectionContents } from '../elf/compressed.ts';
import { descriptorOffset, readNotes } from '../elf/notes.ts';
import { type ElfFile, type ElfSection, readElf } from '../elf/read.ts';
import { type ElfSymbol, readSymbols } from '../elf/symbols.ts';
import { messageOf } from '../common/error.ts';
import { reassemble, piecesInOrder } from '../runtime/shared/reassembly-plan.ts';
import type { ArtifactManifest, SplitEntry } from '../runtime/shared/manifest.ts';
import { readLimits } from '../runtime/node/split/memory.ts';
import { BUILD_ID_SIZE, computeBuildId } from './build-id.ts';
import type {
  Artifact,
  ArtifactForm,
  FunctionRange,
  JsonValue,
  Machine,
  NativeCode,
  SplitContents,
} from './contents.ts';
import {
  type SegmentDescription,
  type SplitDescription,
  decodeWasmNotes,
  invalidArtifact,
  parseJson,
} from './wasm-notes.ts';
import { ELFOSABI_ARTIFACT, MACHINES } from './pack.ts';
import {
  SECTION_BUILD_ID,
  SECTION_INTERFACE,
  SECTION_NOTE_WASM,
  SECTION_PROFILE,
  nameNativeSections,
} from './sections.ts';
import { unnamedFunction } from './native-symbols.ts';

/**
 * Everything that was packed, from an artifact or an object; bytes are views of the file.
 * @param file how messages name the file
 * @throws INVALID_ELF if it is not a complete ELF file, INVALID_ARTIFACT if it is one without being an artifact of this
 * format version whose checksums are right
 */
export function unpackArtifact(bytes: Uint8Array, file = 'The file'): Artifact {
  const elf = readElf(bytes, file);
  const notes = elf.sections.find((section) => section.name === SECTION_NOTE_WASM);
  if (!notes) {
    throw invalidArtifact(file, `it is an ELF file without a section ${SECTION_NOTE_WASM}`);
  }
  const { formatVersion, description } = decodeWasmNotes(readNotes(notes, file), file);
  const form = readForm(elf);
  const machine = readMachine(elf);

  const { section: wireSection, contents: wire } = readSegment(elf, description.wire);
  const split = description.split && readSplit(elf, description.split, wire);
  const segments = description.native.map((segment) => readSegment(elf, segment).section);
  const buildId = checkBuildId(elf, bytes);

  const nativeSections = nameNativeSections(description.native);
  const symbols = functionSymbols(elf);
  const functionNames = new Map<number, string>();
  const native: NativeCode[] = description.native.map(
    ({ engine, version, release, cpu, section: name, statistics, functions }, index) => {
      const section = segments[index];
      if (!section || name !== nativeSections[index]) {
        throw invalidArtifact(
          file,
          `native code for ${engine} is in section ${name}, not ${nativeSections[index]}`,
        );
      }
      const own = symbols.get(elf.sections.indexOf(section)) ?? [];
      const ranges = readRanges(elf, section, own, functions);
      ranges.forEach((range, position) => {
        const symbolName = own[position]?.name;
        if (symbolName !== undefined && symbolName !== unnamedFunction(range.index)) {
          functionNames.set(range.index, symbolName);
        }
      });
      return { engine, version, release, cpu, bytes: section.data, functions: ranges, statistics };
    },
  );
  const compressed = isCompressed(wireSection);
  const manifest: ArtifactManifest = {
    size: bytes.length,
    ...buildId,
    wire: {
      ...(compressed ? compressedPart(wireSection) : { offset: wireSection.offset, size: wireSection.size }),
      crc32: description.wire.crc32,
    },
    native: description.native.map(({ engine, release: node, cpu, crc32: checksum }, index) => ({
      engine,
      node,
      cpu,
      offset: segments[index]?.offset ?? 0,
      size: segments[index]?.size ?? 0,
      crc32: checksum,
    })),
  };
  if (split) manifest.split = split.manifest;
  return {
    form,
    formatVersion,
    producer: description.producer,
    machine,
    name: description.name,
    sourceSha256: description.source.sha256,
    wire: split ? split.whole : wire,
    compressed,
    ...(split && { split: split.contents }),
    interface: readInterface(elf),
    functionNames,
    native,
    nativeSections,
    manifest,
    profile: readProfile(elf),
  };
}

function readForm({ file, type, osabi }: ElfFile): ArtifactForm {
  if (osabi !== ELFOSABI_ARTIFACT) {
    throw invalidArtifact(file, `expected EI_OSABI ${ELFOSABI_ARTIFACT}, found ${osabi}`);
  }
  if (type !== ET_DYN && type !== ET_REL) {
    throw invalidArtifact(file, `expected e_type ${ET_DYN} (ET_DYN) or ${ET_REL} (ET_REL), found ${type}`);
  }
  return type === ET_DYN ? 'artifact' : 'object';
}

function readMachine({ file, machine }: ElfFile): Machine {
  const names: readonly Machine[] = ['x64', 'arm64', 'none'];
  const name = names.find((candidate) => MACHINES[candidate] === machine);
  if (name === undefined) {
    throw invalidArtifact(
      file,
      `expected e_machine ${names.map((candidate) => MACHINES[candidate]).join(', ')}, found ${machine}`,
    );
  }
  return name;
}

function readSegment(
  elf: ElfFile,
  { section: name, crc32: expected }: SegmentDescription,
): { section: ElfSection; contents: Uint8Array } {
  const section = findSection(elf, name);
  const contents = sectionContents(section, elf.file);
  const found = crc32(contents);
  if (found !== expected) {
    throw invalidArtifact(
      elf.file,
      `section ${name} is damaged: its CRC-32 should be ${hex32(expected)} and is ${hex32(found)}`,
    );
  }
  return { section, contents };
}

/** The parts of a split module, and the module that they are. */
function readSplit(
  elf: ElfFile,
  { secondaries: described, memory, full, plan }: SplitDescription,
  primary: Uint8Array,
) {
  const read = (segment: SegmentDescription) => {
    const { section, contents: data } = readSegment(elf, segment);
    return { data, manifest: { offset: section.offset, size: section.size, crc32: segment.crc32 } };
  };
  const secondaries = described.map((part) => ({
    wire: read(part.wire),
    native: part.native.map((segment) => segment && read(segment)),
  }));
  const apart = memory && read(memory);
  const filling = full && read(full);
  const joining = read(plan);
  const contents: SplitContents = {
    primary,
    secondaries: secondaries.map((part) => ({
      wire: part.wire.data,
      native: part.native.map((native) => native?.data),
    })),
    ...(apart && { memory: apart.data }),
    ...(filling && { full: filling.data }),
    plan: joining.data,
  };
  const parted = {
    secondaries: secondaries.map((part) => ({
      wire: part.wire.manifest,
      native: part.native.map((native) => native && native.manifest),
    })),
    plan: joining.manifest,
  };
  try {
    const whole = reassemble(
      piecesInOrder([contents.primary, ...contents.secondaries.map((part) => part.wire)], contents.memory),
      contents.plan,
    );
    const manifest: SplitEntry = {
      ...parted,
      ...(apart && { memory: { ...apart.manifest, ...readLimits(apart.data) } }),
      ...(filling && { full: filling.manifest }),
      original: { size: whole.length, crc32: crc32(whole) },
    };
    return { contents, manifest, whole };
  } catch (cause) {
    throw invalidArtifact(elf.file, `its parts do not make a module (${messageOf(cause)})`, { cause });
  }
}

function findSection({ file, sections }: ElfFile, name: string): ElfSection {
  const section = sections.find((candidate) => candidate.name === name);
  if (!section) {
    throw invalidArtifact(file, `it has no section ${name}`);
  }
  return section;
}

function checkBuildId(elf: ElfFile, bytes: Uint8Array): { buildId: string; buildIdOffset: number } {
  const section = findSection(elf, SECTION_BUILD_ID);
  const [note] = readNotes(section, elf.file);
  if (
    note?.name !== ELF_NOTE_GNU ||
    note.type !== NT_GNU_BUILD_ID ||
    note.descriptor.length !== BUILD_ID_SIZE
  ) {
    throw invalidArtifact(elf.file, `section ${SECTION_BUILD_ID} has no build id of ${BUILD_ID_SIZE} bytes`);
  }
  const buildIdOffset = section.offset + descriptorOffset(ELF_NOTE_GNU);
  const buildId = Buffer.from(note.descriptor).toString('hex');
  const computed = computeBuildId(bytes, buildIdOffset).toString('hex');
  if (buildId !== computed) {
    throw invalidArtifact(
      elf.file,
      `it was changed after it was built: its build id is ${buildId}, and that of its content ${computed}`,
    );
  }
  return { buildId, buildIdOffset };
}

function readInterface(elf: ElfFile): JsonValue {
  const section = findSection(elf, SECTION_INTERFACE);
  // JSON.parse gives nothing but JSON values.
  return parseJson(section.data, `section ${SECTION_INTERFACE}`, elf.file) as JsonValue;
}

function readProfile({ sections }: ElfFile): string | undefined {
  const section = sections.find(({ name }) => name === SECTION_PROFILE);
  return section && new TextDecoder().decode(section.data);
}

/** By section index: the symbols of functions, in order of address. */
function functionSymbols(elf: ElfFile): Map<number, ElfSymbol[]> {
  const bySection = new Map<number, ElfSymbol[]>();
  for (const symbol of readSymbols(elf)) {
    if (symbol.type === STT_FUNC && symbol.binding === STB_LOCAL) {
      const list = bySection.get(symbol.sectionIndex);
      if (list) {
        list.push(symbol);
      } else {
        bySection.set(symbol.sectionIndex, [symbol]);
      }
    }
  }
  for (const list of bySection.values()) {
    list.sort((a, b) => a.value - b.value);
  }
  return bySection;
}

/**
 * Function ranges from the symbols of a section.
 * @param symbols in order of address
 * @param runs as `NativeDescription.functions`
 */
function readRanges(
  elf: ElfFile,
  section: ElfSection,
  symbols: readonly ElfSymbol[],
  runs: readonly number[],
): FunctionRange[] {
  const counts = runs.filter((_, position) => position % 2 === 1);
  const described = counts.reduce((sum, count) => sum + count, 0);
  if (runs.length % 2 !== 0 || described !== symbols.length) {
    throw invalidArtifact(
      elf.file,
      `section ${section.name} has ${symbols.length} function symbols, and its description ${described}`,
    );
  }
  const ranges: FunctionRange[] = [];
  let run = 0;
  let position = 0;
  for (const { name, value, size } of symbols) {
    while (position >= (runs[run + 1] ?? Infinity)) {
      run += 2;
      position = 0;
    }
    const offset = value - section.address;
    if (offset < 0 || size === 0 || offset + size > section.size) {
      throw invalidArtifact(elf.file, `symbol ${name} is outside of section ${section.name}`);
    }
    ranges.push({ index: (runs[run] ?? 0) + position, offset, size });
    position += 1;
  }
  return ranges;
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
