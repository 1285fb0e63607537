import { crc32 } from 'node:zlib';
import { WasmPrecompileError } from '../common/error.ts';
import {
  ELF_NOTE_GNU,
  EM_AARCH64,
  EM_NONE,
  EM_X86_64,
  ET_DYN,
  ET_REL,
  NT_GNU_BUILD_ID,
  SHF_ALLOC,
  SHF_COMPRESSED,
  SHF_EXCLUDE,
  SHF_EXECINSTR,
  SHF_MERGE,
  SHF_STRINGS,
  SHT_NOTE,
  SHT_PROGBITS,
} from '../elf/constants.ts';
import { CHDR_ALIGNMENT, compressedPart, compressSection } from '../elf/compressed.ts';
import { NOTE_ALIGNMENT, descriptorOffset, encodeNotes } from '../elf/notes.ts';
import { type SectionInput, type SymbolInput, writeElf } from '../elf/write.ts';
import type { ArtifactManifest } from '../runtime/shared/manifest.ts';
import { readLimits } from '../runtime/node/split/memory.ts';
import { BUILD_ID_SIZE, computeBuildId } from './build-id.ts';
import type { ArtifactContents, ArtifactForm, FunctionRange, Machine } from './contents.ts';
import { encodeWasmNotes, isSha256, type SegmentDescription } from './wasm-notes.ts';
import {
  SECTION_BUILD_ID,
  SECTION_COMMENT,
  SECTION_FULL,
  SECTION_GNU_STACK,
  SECTION_INTERFACE,
  SECTION_MEMORY,
  SECTION_NOTE_WASM,
  SECTION_PROFILE,
  SECTION_PLAN,
  SECTION_WASM,
  nameNativeSections,
  secondaryNativeSection,
  secondarySection,
} from './sections.ts';
import { linkSymbols, nativeSymbols, sortRanges } from './native-symbols.ts';

/**
 * EI_OSABI of an artifact: Wasmtime's number for files that no operating system executes
 * (crates/environ/src/obj.rs). Also in objects: GNU ld and gold take them, and it does not spread to what they link.
 */
export const ELFOSABI_ARTIFACT = 201;

export const MACHINES: Readonly<Record<Machine, number>> = {
  x64: EM_X86_64,
  arm64: EM_AARCH64,
  none: EM_NONE,
};

/** Of segments in an object, in bytes: there the linker places them, and nobody maps them from the file. */
const OBJECT_ALIGNMENT = 16;

/**
 * The artifact that the runtime maps (ET_DYN), with the manifest of it. The same contents give the same bytes.
 * @throws INVALID_ARTIFACT for contents that no artifact can hold, INVALID_NATIVE_CODE for impossible function ranges
 */
export interface PackedArtifact {
  bytes: Uint8Array;
  manifest: ArtifactManifest;
}

export function packArtifact(contents: ArtifactContents<unknown>): PackedArtifact {
  return pack(contents, 'artifact');
}

/**
 * The same content as an object (ET_REL) to link into a native program; `symbols.ts` tells the symbols to use.
 * @throws like `packArtifact`
 */
export function packObject(contents: ArtifactContents<unknown>): Uint8Array {
  return pack(contents, 'object').bytes;
}

/**
 * The artifact that a browser fetches a part of: no native code, which no browser takes from the network.
 *
 * @param compress whether that part is a zlib stream (RFC 1950) of the wire bytes, not the wire bytes themselves
 * @returns with where the part is, in bytes; of a split module the primary, then the secondaries
 * @throws like `packArtifact`
 */
export function packForBrowsers(
  contents: Omit<ArtifactContents<unknown>, 'machine' | 'native'>,
  compress: boolean,
): { bytes: Uint8Array; part: FilePart; more: FilePart[] } {
  const { bytes, manifest } = pack({ ...contents, machine: 'none', native: [] }, 'artifact', compress);
  const { split } = manifest;
  return { bytes, part: manifest.wire, more: (split?.secondaries ?? []).map(({ wire }) => wire) };
}

/** In bytes. */
interface FilePart {
  offset: number;
  size: number;
}

function pack(contents: ArtifactContents<unknown>, form: ArtifactForm, compress = false): PackedArtifact {
  check(contents, form);
  const names = nameNativeSections(contents.native);
  const natives = contents.native.map((native, index) => ({
    native,
    section: names[index] ?? '',
    crc32: crc32(native.bytes),
    ranges: sortRanges(native),
  }));
  const { split } = contents;
  const wire = split?.primary ?? contents.wire;
  const wireCrc32 = crc32(wire);
  const secondaries = (split?.secondaries ?? []).map(({ wire: part, native }, i) => ({
    wire: { section: secondarySection(i + 1), contents: part },
    native: names.map((name, target): Segment | null => {
      const code = native[target];
      return code ? { section: secondaryNativeSection(i + 1, name), contents: code } : null;
    }),
  }));
  const memory = split?.memory && { section: SECTION_MEMORY, contents: split.memory };
  const full = split?.full && { section: SECTION_FULL, contents: split.full };
  const notes = encodeWasmNotes({
    producer: contents.producer,
    name: contents.name,
    source: { sha256: contents.sourceSha256 },
    wire: { section: SECTION_WASM, crc32: wireCrc32 },
    native: natives.map(({ native, section, crc32: checksum, ranges }) => ({
      section,
      crc32: checksum,
      engine: native.engine,
      version: native.version,
      release: native.release,
      cpu: native.cpu,
      statistics: {
        functions: native.statistics.functions,
        compiled: native.statistics.compiled,
        codeSize: native.statistics.codeSize,
        ...(native.statistics.executed !== undefined && { executed: native.statistics.executed }),
      },
      functions: indexRuns(ranges),
    })),
    ...(split && {
      split: {
        secondaries: secondaries.map(({ wire: part, native }) => ({
          wire: describeSegment(part),
          native: native.map((code) => code && describeSegment(code)),
        })),
        ...(memory && { memory: describeSegment(memory) }),
        ...(full && { full: describeSegment(full) }),
        plan: describeSegment({ section: SECTION_PLAN, contents: split.plan }),
      },
    }),
  });

  const symbols: SymbolInput[] = natives.flatMap(({ native, section, ranges }) =>
    nativeSymbols(section, native, ranges, contents.functionNames),
  );
  if (form === 'object') {
    const sizes = natives.map(({ native, section }) => ({ section, size: native.bytes.length }));
    symbols.push(...linkSymbols(contents.name, contents.wire, sizes));
  }
  const wireSection = compress ? compressedWire(wire) : segment(SECTION_WASM, SHF_ALLOC, wire);
  const { bytes, offsets } = writeElf({
    type: form === 'artifact' ? ET_DYN : ET_REL,
    machine: MACHINES[contents.machine],
    osabi: ELFOSABI_ARTIFACT,
    sections: [
      ...noteSections(notes, form),
      wireSection,
      ...(memory ? [segment(memory.section, SHF_ALLOC, memory.contents)] : []),
      ...secondaries.map(({ wire: part }) => segment(part.section, SHF_ALLOC, part.contents)),
      ...(full ? [segment(full.section, SHF_ALLOC, full.contents)] : []),
      ...natives.map(({ native, section }) => segment(section, SHF_ALLOC | SHF_EXECINSTR, native.bytes)),
      ...secondaries
        .flatMap(({ native }) => native)
        .filter((code) => code !== null)
        .map((code) => segment(code.section, SHF_ALLOC | SHF_EXECINSTR, code.contents)),
      ...unloadedSections(contents, form),
    ],
    symbols,
  });

  const offsetOf = (section: string) => offsets.get(section) ?? 0;
  const entryOf = ({ section, contents: content }: Segment) => ({
    offset: offsetOf(section),
    size: content.length,
    crc32: crc32(content),
  });
  const buildIdOffset = offsetOf(SECTION_BUILD_ID) + descriptorOffset(ELF_NOTE_GNU);
  const wirePart = { offset: offsetOf(SECTION_WASM), size: wireSection.contents.length };
  const buildId = computeBuildId(bytes, buildIdOffset);
  bytes.set(buildId, buildIdOffset);
  return {
    bytes,
    manifest: {
      size: bytes.length,
      buildId: buildId.toString('hex'),
      buildIdOffset,
      wire: { ...(compress ? compressedPart(wirePart) : wirePart), crc32: wireCrc32 },
      native: natives.map(({ native, section, crc32: checksum }) => ({
        engine: native.engine,
        node: native.release,
        cpu: native.cpu,
        offset: offsetOf(section),
        size: native.bytes.length,
        crc32: checksum,
      })),
      ...(split && {
        split: {
          secondaries: secondaries.map(({ wire: part, native }) => ({
            wire: entryOf(part),
            native: native.map((code) => code && entryOf(code)),
          })),
          ...(memory && { memory: { ...entryOf(memory), ...readLimits(memory.contents) } }),
          ...(full && { full: entryOf(full) }),
          plan: entryOf({ section: SECTION_PLAN, contents: split.plan }),
          original: { size: contents.wire.length, crc32: crc32(contents.wire) },
        },
      }),
    },
  };
}

/** A section that is a segment of a part. */
interface Segment {
  section: string;
  contents: Uint8Array;
}

function describeSegment({ section, contents }: Segment): SegmentDescription {
  return { section, crc32: crc32(contents) };
}

/** What would give a file that `unpackArtifact` refuses. */
function check({ sourceSha256, wire, native, split }: ArtifactContents<unknown>, form: ArtifactForm): void {
  if (!isSha256(sourceSha256)) {
    throw new WasmPrecompileError(
      'INVALID_ARTIFACT',
      `The SHA-256 of the source must be 64 hexadecimal digits, not ${JSON.stringify(sourceSha256)}.`,
    );
  }
  if (wire.length === 0) {
    throw new WasmPrecompileError('INVALID_ARTIFACT', 'There are no wire bytes to pack.');
  }
  if (split && form === 'object') {
    throw new WasmPrecompileError('INVALID_ARTIFACT', 'An object holds a module whole: turn splitting off.');
  }
  const empty = native.find(({ bytes }) => bytes.length === 0);
  if (empty) {
    throw new WasmPrecompileError(
      'INVALID_ARTIFACT',
      `The native code for ${empty.engine} is empty. Leave this target out.`,
    );
  }
}

function noteSections(notes: Uint8Array, form: ArtifactForm): SectionInput[] {
  const placeholder = encodeNotes([
    { name: ELF_NOTE_GNU, type: NT_GNU_BUILD_ID, descriptor: new Uint8Array(BUILD_ID_SIZE) },
  ]);
  const section = {
    type: SHT_NOTE,
    flags: SHF_ALLOC,
    addralign: NOTE_ALIGNMENT,
    entsize: 0,
    placement: 'header',
  } as const;
  const buildIdFlags = form === 'object' ? SHF_ALLOC + SHF_EXCLUDE : SHF_ALLOC;
  return [
    { ...section, name: SECTION_BUILD_ID, flags: buildIdFlags, contents: placeholder },
    { ...section, name: SECTION_NOTE_WASM, contents: notes },
  ];
}

function segment(name: string, flags: number, contents: Uint8Array): SectionInput {
  return {
    name,
    type: SHT_PROGBITS,
    flags,
    addralign: OBJECT_ALIGNMENT,
    entsize: 0,
    placement: 'segment',
    contents,
  };
}

/** What is compressed is not loaded; the format forbids it. */
function compressedWire(wire: Uint8Array): SectionInput {
  return {
    name: SECTION_WASM,
    type: SHT_PROGBITS,
    flags: SHF_COMPRESSED,
    addralign: CHDR_ALIGNMENT,
    entsize: 0,
    placement: 'unloaded',
    contents: compressSection(wire, OBJECT_ALIGNMENT),
  };
}

function unloadedSections(contents: ArtifactContents<unknown>, form: ArtifactForm): SectionInput[] {
  const json: string | undefined = JSON.stringify(contents.interface);
  if (json === undefined) {
    throw new WasmPrecompileError('INVALID_ARTIFACT', 'The interface cannot be written as JSON.');
  }
  const encoder = new TextEncoder();
  const section = {
    type: SHT_PROGBITS,
    flags: 0,
    addralign: 1,
    entsize: 0,
    placement: 'unloaded',
  } as const;
  const sections: SectionInput[] = [
    { ...section, name: SECTION_INTERFACE, contents: encoder.encode(json) },
    {
      ...section,
      name: SECTION_COMMENT,
      flags: SHF_MERGE | SHF_STRINGS,
      entsize: 1,
      contents: encoder.encode(`${contents.producer}\0`),
    },
  ];
  if (contents.split) {
    sections.push({ ...section, name: SECTION_PLAN, contents: contents.split.plan });
  }
  if (contents.profile !== undefined) {
    sections.push({ ...section, name: SECTION_PROFILE, contents: encoder.encode(contents.profile) });
  }
  if (form === 'object') {
    sections.push({ ...section, name: SECTION_GNU_STACK, contents: new Uint8Array() });
  }
  return sections;
}

/** Runs of consecutive function indexes in order of address, as `NativeDescription.functions` has them. */
function indexRuns(ranges: readonly FunctionRange[]): number[] {
  const runs: number[] = [];
  let expected = -1;
  for (const { index } of ranges) {
    if (index === expected) {
      runs.push((runs.pop() ?? 0) + 1);
    } else {
      runs.push(index, 1);
    }
    expected = index + 1;
  }
  return runs;
}
