/** Reads the segments of an artifact by the descriptions in its notes, and checks their checksums. */
import { crc32 } from 'node:zlib';
import { messageOf } from '../common/error.ts';
import { sectionContents } from '../elf/compressed.ts';
import type { ElfFile, ElfSection } from '../elf/read-elf.ts';
import { readLimits } from '../runtime/shared/memory-image.ts';
import type { SplitEntry } from '../runtime/shared/manifest.ts';
import { planSources, reassemble } from '../runtime/shared/reassembly-plan.ts';
import type { SplitContents } from './contents.ts';
import { type SegmentDescription, type SplitDescription, invalidArtifact } from './wasm-notes.ts';

/** @throws INVALID_ARTIFACT if the file has no such section */
export function findSection({ file, sections }: ElfFile, name: string): ElfSection {
  const section = sections.find((candidate) => candidate.name === name);
  if (!section) throw invalidArtifact(file, `it has no section ${name}`);
  return section;
}

/**
 * Reads a segment, inflated if it is compressed.
 *
 * @throws INVALID_ARTIFACT if it is missing or its checksum differs, INVALID_ELF if it cannot be inflated
 */
export function readSegment(
  elf: ElfFile,
  { section: name, crc32: expected }: SegmentDescription,
): { section: ElfSection; contents: Uint8Array } {
  const section = findSection(elf, name);
  const contents = sectionContents(section, elf.file);
  const found = crc32(contents);
  if (found !== expected) {
    throw invalidArtifact(
      elf.file,
      `section ${name} is damaged: expected the CRC-32 ${hex32(expected)} for ${section.size} bytes at offset ` +
        `0x${section.offset.toString(16)}, found ${hex32(found)}`,
    );
  }
  return { section, contents };
}

export interface ReadSplit {
  contents: SplitContents;
  manifest: SplitEntry;
  /** The reassembled original module. */
  original: Uint8Array;
}

/** Reads the modules of a split, and reassembles the original module. */
export function readSplit(
  elf: ElfFile,
  { secondaries: described, memory, full, plan }: SplitDescription,
  primary: Uint8Array,
): ReadSplit {
  const read = (segment: SegmentDescription) => {
    const { section, contents: data } = readSegment(elf, segment);
    return { data, manifest: { offset: section.offset, size: section.size, crc32: segment.crc32 } };
  };
  const secondaries = described.map(({ wire, native }) => ({
    wire: read(wire),
    native: native.map((segment) => segment && read(segment)),
  }));
  const memorySegment = memory && read(memory);
  const fullSegment = full && read(full);
  const planSegment = read(plan);
  const contents: SplitContents = {
    primary,
    secondaries: secondaries.map(({ wire, native }) => ({
      wire: wire.data,
      native: native.map((code) => code?.data),
    })),
    ...(memorySegment && { memory: memorySegment.data }),
    ...(fullSegment && { full: fullSegment.data }),
    plan: planSegment.data,
  };
  try {
    const modules = [primary, ...secondaries.map(({ wire }) => wire.data)];
    const original = reassemble(planSources(modules, contents.memory), contents.plan);
    const manifest: SplitEntry = {
      secondaries: secondaries.map(({ wire, native }) => ({
        wire: wire.manifest,
        native: native.map((code) => code && code.manifest),
      })),
      plan: planSegment.manifest,
      ...(memorySegment && {
        memory: { ...memorySegment.manifest, ...readLimits(memorySegment.data) },
      }),
      ...(fullSegment && { full: fullSegment.manifest }),
      original: { size: original.length, crc32: crc32(original) },
    };
    return { contents, manifest, original };
  } catch (cause) {
    throw invalidArtifact(
      elf.file,
      `reassembling the parts does not reproduce the module (${messageOf(cause)})`,
      { cause },
    );
  }
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
