/** The sections of an artifact as the ELF writer takes them: type, flags, alignment and placement of each. */
import { WasmPrecompileError } from '../common/error.ts';
import { CHDR_ALIGNMENT, compressSection } from '../elf/compressed.ts';
import {
  ELF_NOTE_GNU,
  NT_GNU_BUILD_ID,
  SHF_ALLOC,
  SHF_COMPRESSED,
  SHF_EXCLUDE,
  SHF_MERGE,
  SHF_STRINGS,
  SHT_NOTE,
  SHT_PROGBITS,
} from '../elf/constants.ts';
import { NOTE_ALIGNMENT, encodeNotes } from '../elf/notes.ts';
import type { SectionInput } from '../elf/write-elf.ts';
import { BUILD_ID_SIZE } from './build-id.ts';
import type { ArtifactContents, ArtifactForm } from './contents.ts';
import {
  SECTION_BUILD_ID,
  SECTION_COMMENT,
  SECTION_GNU_STACK,
  SECTION_INTERFACE,
  SECTION_NOTE_WASM,
  SECTION_PLAN,
  SECTION_PROFILE,
  SECTION_WASM,
} from './section-names.ts';

/**
 * Bytes that a segment of an object is aligned to. In an artifact the ELF writer aligns segments to
 * SEGMENT_ALIGNMENT, so that the runtime can map them. Nothing maps an object: a linker places its sections.
 */
const OBJECT_ALIGNMENT = 16;

/** The build id note, with zeros for the id, and the wasm notes. */
export function noteSections(notes: Uint8Array, form: ArtifactForm): SectionInput[] {
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

/** A section that the runtime can map. */
export function segment(name: string, flags: number, contents: Uint8Array): SectionInput {
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

/** The compressed wire bytes. The section is not loaded: SHF_COMPRESSED must not be combined with SHF_ALLOC. */
export function compressedWire(wire: Uint8Array): SectionInput {
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

/** The sections that tools read and the runtime does not load. */
export function unloadedSections(contents: ArtifactContents<unknown>, form: ArtifactForm): SectionInput[] {
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
