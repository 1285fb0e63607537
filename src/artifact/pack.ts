/** Writes artifacts and objects. section-names.ts describes the layout. */
import { crc32 } from 'node:zlib';
import { WasmPrecompileError } from '../common/error.ts';
import { compressedRange } from '../elf/compressed.ts';
import { ELF_NOTE_GNU, ET_DYN, ET_REL, SHF_ALLOC, SHF_EXECINSTR } from '../elf/constants.ts';
import { descriptorOffset } from '../elf/notes.ts';
import { type SectionInput, type SymbolInput, writeElf } from '../elf/write-elf.ts';
import { readLimits } from '../runtime/shared/memory-image.ts';
import type { ArtifactManifest, SegmentEntry, SplitEntry } from '../runtime/shared/manifest.ts';
import { computeBuildId } from './build-id.ts';
import type { ArtifactContents, ArtifactForm, FunctionRange, NativeCode, SplitContents } from './contents.ts';
import { ELFOSABI_ARTIFACT, MACHINES } from './identification.ts';
import { linkSymbols, nativeSymbols, sortRanges } from './native-symbols.ts';
import { compressedWire, noteSections, segment, unloadedSections } from './section-inputs.ts';
import {
  SECTION_BUILD_ID,
  SECTION_FULL,
  SECTION_MEMORY,
  SECTION_PLAN,
  SECTION_WASM,
  nameNativeSections,
  secondaryNativeSection,
  secondarySection,
} from './section-names.ts';
import {
  encodeWasmNotes,
  isSha256,
  type NativeDescription,
  type SegmentDescription,
  type SplitDescription,
} from './wasm-notes.ts';

export interface PackedArtifact {
  bytes: Uint8Array;
  manifest: ArtifactManifest;
}

/**
 * Packs the artifact that the runtime maps (ET_DYN). Equal contents result in equal bytes.
 *
 * @throws INVALID_ARTIFACT for contents that no artifact can hold, INVALID_NATIVE_CODE for impossible function ranges
 */
export function packArtifact(contents: ArtifactContents<unknown>): PackedArtifact {
  return pack(contents, 'artifact');
}

/**
 * Packs the same contents as an object (ET_REL) to link into a native program. native-symbols.ts lists the
 * symbols that the program declares.
 *
 * @throws like {@link packArtifact}
 */
export function packObject(contents: ArtifactContents<unknown>): Uint8Array {
  return pack(contents, 'object').bytes;
}

/** A range of bytes of a file. */
export interface FileRange {
  offset: number;
  size: number;
}

/** An artifact for browsers. They fetch only ranges of it. */
export interface BrowserArtifact {
  bytes: Uint8Array;
  /** The wire bytes, or a zlib stream (RFC 1950) of them; for a split module those of the primary. */
  wire: FileRange;
  /** The wire bytes of the secondaries. */
  secondaries: FileRange[];
}

/**
 * Packs an artifact for browsers. It has no native code, because no browser accepts native code from the network.
 *
 * @param compress whether to compress the wire bytes
 * @throws like {@link packArtifact}
 */
export function packForBrowsers(
  contents: Omit<ArtifactContents<unknown>, 'machine' | 'native'>,
  compress: boolean,
): BrowserArtifact {
  const { bytes, manifest } = pack({ ...contents, machine: 'none', native: [] }, 'artifact', compress);
  const secondaries = (manifest.split?.secondaries ?? []).map(({ wire }) => wire);
  return { bytes, wire: manifest.wire, secondaries };
}

/** A section that `.note.wasm` describes with its checksum. */
interface Segment {
  section: string;
  contents: Uint8Array;
}

interface NativeSegment {
  native: NativeCode;
  section: string;
  crc32: number;
  /** In order of offset. */
  ranges: readonly FunctionRange[];
}

interface SecondarySegments {
  wire: Segment;
  /** One for each target; null for a target without native code of this secondary. */
  native: (Segment | null)[];
}

interface SplitSegments {
  secondaries: SecondarySegments[];
  memory: Segment | undefined;
  full: Segment | undefined;
  plan: Segment;
}

function pack(contents: ArtifactContents<unknown>, form: ArtifactForm, compress = false): PackedArtifact {
  check(contents, form);
  const names = nameNativeSections(contents.native);
  const natives = contents.native.map((native, index): NativeSegment => ({
    native,
    section: names[index] ?? '',
    crc32: crc32(native.bytes),
    ranges: sortRanges(native),
  }));
  const split = contents.split && splitSegments(contents.split, names);
  const wire = contents.split?.primary ?? contents.wire;
  const notes = encodeWasmNotes({
    producer: contents.producer,
    name: contents.name,
    source: { sha256: contents.sourceSha256 },
    wire: describeSegment({ section: SECTION_WASM, contents: wire }),
    native: natives.map(describeNative),
    ...(split && { split: describeSplit(split) }),
  });
  const wireSection = compress ? compressedWire(wire) : segment(SECTION_WASM, SHF_ALLOC, wire);
  const { bytes, offsets } = writeElf({
    type: form === 'artifact' ? ET_DYN : ET_REL,
    machine: MACHINES[contents.machine],
    osabi: ELFOSABI_ARTIFACT,
    sections: [
      ...noteSections(notes, form),
      wireSection,
      ...segmentSections(natives, split),
      ...unloadedSections(contents, form),
    ],
    symbols: symbolsOf(contents, natives, form),
  });

  const offsetOf = (section: string) => offsets.get(section) ?? 0;
  const buildIdOffset = offsetOf(SECTION_BUILD_ID) + descriptorOffset(ELF_NOTE_GNU);
  const buildId = computeBuildId(bytes, buildIdOffset);
  bytes.set(buildId, buildIdOffset);
  const wireRange = { offset: offsetOf(SECTION_WASM), size: wireSection.contents.length };
  const manifest: ArtifactManifest = {
    size: bytes.length,
    buildId: buildId.toString('hex'),
    buildIdOffset,
    wire: { ...(compress ? compressedRange(wireRange) : wireRange), crc32: crc32(wire) },
    native: natives.map(({ native, section, crc32: checksum }) => ({
      engine: native.engine,
      node: native.release,
      cpu: native.cpu,
      offset: offsetOf(section),
      size: native.bytes.length,
      crc32: checksum,
    })),
    ...(split && { split: splitManifest(split, contents.wire, offsetOf) }),
  };
  return { bytes, manifest };
}

/** @param names of the sections of native code, by target */
function splitSegments(split: SplitContents, names: readonly string[]): SplitSegments {
  return {
    secondaries: split.secondaries.map(({ wire, native }, i) => ({
      wire: { section: secondarySection(i + 1), contents: wire },
      native: names.map((name, target): Segment | null => {
        const code = native[target];
        return code ? { section: secondaryNativeSection(i + 1, name), contents: code } : null;
      }),
    })),
    memory: split.memory && { section: SECTION_MEMORY, contents: split.memory },
    full: split.full && { section: SECTION_FULL, contents: split.full },
    plan: { section: SECTION_PLAN, contents: split.plan },
  };
}

function describeSegment({ section, contents }: Segment): SegmentDescription {
  return { section, crc32: crc32(contents) };
}

function describeNative({ native, section, crc32: checksum, ranges }: NativeSegment): NativeDescription {
  const { functions, compiled, codeSize, executed } = native.statistics;
  return {
    section,
    crc32: checksum,
    engine: native.engine,
    version: native.version,
    release: native.release,
    cpu: native.cpu,
    statistics: { functions, compiled, codeSize, ...(executed !== undefined && { executed }) },
    functions: indexRuns(ranges),
  };
}

function describeSplit({ secondaries, memory, full, plan }: SplitSegments): SplitDescription {
  return {
    secondaries: secondaries.map(({ wire, native }) => ({
      wire: describeSegment(wire),
      native: native.map((code) => code && describeSegment(code)),
    })),
    ...(memory && { memory: describeSegment(memory) }),
    ...(full && { full: describeSegment(full) }),
    plan: describeSegment(plan),
  };
}

/** @param original the wire bytes of the original module */
function splitManifest(
  { secondaries, memory, full, plan }: SplitSegments,
  original: Uint8Array,
  offsetOf: (section: string) => number,
): SplitEntry {
  const entryOf = ({ section, contents }: Segment): SegmentEntry => ({
    offset: offsetOf(section),
    size: contents.length,
    crc32: crc32(contents),
  });
  return {
    secondaries: secondaries.map(({ wire, native }) => ({
      wire: entryOf(wire),
      native: native.map((code) => code && entryOf(code)),
    })),
    ...(memory && { memory: { ...entryOf(memory), ...readLimits(memory.contents) } }),
    ...(full && { full: entryOf(full) }),
    plan: entryOf(plan),
    original: { size: original.length, crc32: crc32(original) },
  };
}

/** The segments after the wire bytes. Native code is last, so that a truncated file loses it first. */
function segmentSections(
  natives: readonly NativeSegment[],
  split: SplitSegments | undefined,
): SectionInput[] {
  const { memory, secondaries = [], full } = split ?? {};
  const wasm = [memory, ...secondaries.map(({ wire }) => wire), full].filter((each) => each !== undefined);
  const native = [
    ...natives.map(({ native: { bytes }, section }) => ({ section, contents: bytes })),
    ...secondaries.flatMap((secondary) => secondary.native).filter((code) => code !== null),
  ];
  return [
    ...wasm.map(({ section, contents }) => segment(section, SHF_ALLOC, contents)),
    ...native.map(({ section, contents }) => segment(section, SHF_ALLOC | SHF_EXECINSTR, contents)),
  ];
}

function symbolsOf(
  { name, wire, functionNames }: ArtifactContents<unknown>,
  natives: readonly NativeSegment[],
  form: ArtifactForm,
): SymbolInput[] {
  const symbols = natives.flatMap(({ native, section, ranges }) =>
    nativeSymbols(section, native, ranges, functionNames),
  );
  if (form === 'artifact') return symbols;
  const sizes = natives.map(({ native, section }) => ({ section, size: native.bytes.length }));
  return [...symbols, ...linkSymbols(name, wire, sizes)];
}

/** Rejects contents that would result in a file that `unpackArtifact` rejects. */
function check({ sourceSha256, wire, native, split }: ArtifactContents<unknown>, form: ArtifactForm): void {
  if (!isSha256(sourceSha256)) {
    throw new WasmPrecompileError(
      'INVALID_ARTIFACT',
      `The SHA-256 of the source must be 64 hexadecimal digits, not ${JSON.stringify(sourceSha256)}.`,
    );
  }
  if (wire.length === 0) {
    throw new WasmPrecompileError('INVALID_ARTIFACT', 'The module has no wire bytes. Check the .wasm file.');
  }
  if (split && form === 'object') {
    throw new WasmPrecompileError(
      'INVALID_ARTIFACT',
      'An object cannot hold a split module. Turn the option `split` off.',
    );
  }
  const empty = native.find(({ bytes }) => bytes.length === 0);
  if (empty) {
    throw new WasmPrecompileError(
      'INVALID_ARTIFACT',
      `The native code for ${empty.engine} is empty. Leave this target out.`,
    );
  }
}

/** Returns function indices as runs in order of address: see `NativeDescription.functions`. */
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
