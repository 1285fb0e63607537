/**
 * Reads an artifact completely and checks it, in this order, so that the first message is the most specific one:
 *
 * 1. It is an ELF file (elf/read-elf.ts) with the header, the notes and the format version of an artifact.
 * 2. Each segment has its CRC-32. The message names the damaged segment.
 * 3. The file has its build id. This detects any other change.
 * 4. The rest is consistent. By now it is as it was written, but another program may have written it.
 */
import { ELF_NOTE_GNU, ET_DYN, ET_REL, NT_GNU_BUILD_ID } from '../elf/constants.ts';
import { compressedRange, isCompressed } from '../elf/compressed.ts';
import { descriptorOffset, readNotes } from '../elf/notes.ts';
import { type ElfFile, type ElfSection, readElf } from '../elf/read-elf.ts';
import type { ArtifactManifest } from '../runtime/shared/manifest.ts';
import { BUILD_ID_SIZE, computeBuildId } from './build-id.ts';
import type { Artifact, ArtifactForm, JsonValue, Machine, NativeCode } from './contents.ts';
import { ELFOSABI_ARTIFACT, MACHINES } from './identification.ts';
import { unnamedFunction } from './native-symbols.ts';
import { readFunctionRanges, readFunctionSymbols } from './read-function-ranges.ts';
import { findSection, readSegment, readSplit } from './read-segments.ts';
import {
  SECTION_BUILD_ID,
  SECTION_INTERFACE,
  SECTION_NOTE_WASM,
  SECTION_PROFILE,
  nameNativeSections,
} from './section-names.ts';
import { type Description, decodeWasmNotes, invalidArtifact, parseJson } from './wasm-notes.ts';

/**
 * Reads everything that was packed into an artifact or an object. Bytes are views of the file.
 *
 * @param file how messages name the file
 * @throws INVALID_ELF if it is not a complete ELF file, INVALID_ARTIFACT if it is no artifact of this format
 *   version or a checksum differs
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
  const { native, functionNames } = readNative(elf, description, segments, nativeSections);
  const compressed = isCompressed(wireSection);
  const manifest: ArtifactManifest = {
    size: bytes.length,
    ...buildId,
    wire: {
      ...(compressed ? compressedRange(wireSection) : { offset: wireSection.offset, size: wireSection.size }),
      crc32: description.wire.crc32,
    },
    native: description.native.map(({ engine, release: node, cpu, crc32 }, index) => ({
      engine,
      node,
      cpu,
      offset: segments[index]?.offset ?? 0,
      size: segments[index]?.size ?? 0,
      crc32,
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
    wire: split ? split.original : wire,
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

/**
 * @param segments the sections of native code, by target
 * @param names the names that these sections must have
 */
function readNative(
  elf: ElfFile,
  description: Description,
  segments: readonly ElfSection[],
  names: readonly string[],
): { native: NativeCode[]; functionNames: Map<number, string> } {
  const symbols = readFunctionSymbols(elf);
  const functionNames = new Map<number, string>();
  const native = description.native.map(
    ({ engine, version, release, cpu, section: name, statistics, functions }, index): NativeCode => {
      const section = segments[index];
      if (!section || name !== names[index]) {
        throw invalidArtifact(
          elf.file,
          `native code for ${engine} is in section ${name}, not ${names[index]}`,
        );
      }
      const own = symbols.get(elf.sections.indexOf(section)) ?? [];
      const ranges = readFunctionRanges(elf, section, own, functions);
      for (const [position, { index: functionIndex }] of ranges.entries()) {
        const symbolName = own[position]?.name;
        if (symbolName !== undefined && symbolName !== unnamedFunction(functionIndex)) {
          functionNames.set(functionIndex, symbolName);
        }
      }
      return { engine, version, release, cpu, bytes: section.data, functions: ranges, statistics };
    },
  );
  return { native, functionNames };
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

function checkBuildId(elf: ElfFile, bytes: Uint8Array): { buildId: string; buildIdOffset: number } {
  const section = findSection(elf, SECTION_BUILD_ID);
  const [note] = readNotes(section, elf.file);
  if (
    note?.name !== ELF_NOTE_GNU ||
    note.type !== NT_GNU_BUILD_ID ||
    note.descriptor.length !== BUILD_ID_SIZE
  ) {
    throw invalidArtifact(
      elf.file,
      `section ${SECTION_BUILD_ID} at offset 0x${section.offset.toString(16)} has no build id of ${BUILD_ID_SIZE} bytes`,
    );
  }
  const buildIdOffset = section.offset + descriptorOffset(ELF_NOTE_GNU);
  const buildId = Buffer.from(note.descriptor).toString('hex');
  const computed = computeBuildId(bytes, buildIdOffset).toString('hex');
  if (buildId !== computed) {
    throw invalidArtifact(
      elf.file,
      `it was changed after it was built: expected the build id ${computed} for its contents, found ${buildId}`,
    );
  }
  return { buildId, buildIdOffset };
}

function readInterface(elf: ElfFile): JsonValue {
  const section = findSection(elf, SECTION_INTERFACE);
  // JSON.parse returns only JSON values.
  return parseJson(section.data, `section ${SECTION_INTERFACE}`, elf.file) as JsonValue;
}

function readProfile({ sections }: ElfFile): string | undefined {
  const section = sections.find(({ name }) => name === SECTION_PROFILE);
  return section && new TextDecoder().decode(section.data);
}
