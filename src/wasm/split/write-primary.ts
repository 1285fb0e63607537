/** Writes the primary: the original module with stubs for the functions that moved, and what secondaries link to. */
import { MEMORY_IMPORT, SPLIT } from '../../runtime/shared/split-names.ts';
import { PREAMBLE_SIZE, SECTION_ORDER, type Section, SectionId } from '../binary/sections.ts';
import type { SplitAnalysis } from './analyse-split.ts';
import { PRIMARY } from './assign-functions.ts';
import { addedExports, tableType } from './linkage.ts';
import { writeDataSection } from './merge-data-segments.ts';
import { ExternalKind } from './module-layout.ts';
import { ModuleWriter } from './module-writer.ts';
import { END, I32, I32_CONST, MUTABLE } from './opcodes.ts';
import { countElements, extendVector, writeElements, writeNames, writeTypes } from './shared-sections.ts';
import { writeCodeSection } from './write-code-section.ts';

/** Writes the content of a section of the primary. `old` is the section in the original module, if it has one. */
type Edit = (content: ModuleWriter, old: Section | undefined) => void;

/** @param stubbed whether to also omit the bodies that the last secondary contains */
export function writePrimary(analysis: SplitAnalysis, stubbed = false): ModuleWriter {
  const { wire, layout } = analysis;
  const edits = sectionEdits(analysis, stubbed);
  const writer = new ModuleWriter(wire).copy({ offset: 0, size: PREAMBLE_SIZE });
  const write = (id: SectionId, old: Section | undefined) => {
    const edit = edits.get(id);
    edits.delete(id);
    if (edit) writer.u8(id).sized((content) => edit(content, old));
  };
  /** Writes the added sections that precede the section at a position of {@link SECTION_ORDER}. */
  const writeAdded = (position: number) => {
    for (const [id] of SECTION_ORDER.slice(0, Math.max(0, position))) write(id, undefined);
  };
  for (const section of layout.sections) {
    const { id, name, start, offset, size } = section;
    const isCustom = id === SectionId.Custom;
    if (!isCustom) writeAdded(SECTION_ORDER.findIndex(([known]) => known === id));
    if (edits.has(id)) write(id, section);
    else if (!isCustom || name !== 'name' || !writeNames(writer, analysis, section, PRIMARY)) {
      writer.copy({ offset: start, size: offset + size - start });
    }
  }
  writeAdded(SECTION_ORDER.length);
  return writer;
}

/** The sections that differ from the original module. `undefined` removes a section. */
function sectionEdits(analysis: SplitAnalysis, stubbed: boolean): Map<SectionId, Edit | undefined> {
  const { wire, layout, slotCount, moduleCount } = analysis;
  const exports = addedExports(analysis);
  const edits = new Map<SectionId, Edit | undefined>([
    [SectionId.Type, (content, old) => writeTypes(content, wire, old, layout.typeEntries)],
    [
      SectionId.Table,
      (content, old) => {
        extendVector(content, wire, old, countElements(wire, old), 2);
        for (const size of [slotCount, 1]) content.u8(...tableType(size));
      },
    ],
    [
      SectionId.Global,
      (content, old) => {
        extendVector(content, wire, old, countElements(wire, old), moduleCount - 1);
        for (let module = 1; module < moduleCount; module++) content.u8(I32, MUTABLE, I32_CONST, 1, END);
      },
    ],
    [
      SectionId.Export,
      (content, old) => {
        extendVector(content, wire, old, layout.exports.length, exports.length);
        for (const { name, kind, index } of exports) content.name(name).u8(kind).u32(index);
      },
    ],
    [SectionId.Start, undefined],
    [
      SectionId.Element,
      (content, old) => {
        extendVector(content, wire, old, layout.elementSegments, 1);
        writeElements(content, analysis, PRIMARY);
      },
    ],
    [SectionId.Code, (content) => writeCodeSection(content, analysis, PRIMARY, stubbed)],
  ]);
  editData(edits, analysis);
  return edits;
}

function editData(
  edits: Map<SectionId, Edit | undefined>,
  { wire, layout, mergedData, isMemorySeparate }: SplitAnalysis,
): void {
  if (!mergedData) return;
  // The data count section serves instructions that refer to segments. The module has none (merge-data-segments.ts).
  edits.set(SectionId.DataCount, undefined);
  if (!isMemorySeparate) {
    edits.set(SectionId.Data, (content) => writeDataSection(content, wire, mergedData));
    return;
  }
  edits.set(SectionId.Data, undefined);
  edits.set(SectionId.Memory, undefined);
  edits.set(SectionId.Import, (content, old) => {
    extendVector(content, wire, old, countElements(wire, old), 1);
    for (const type of layout.state[ExternalKind.Memory]) {
      content.name(SPLIT).name(MEMORY_IMPORT).u8(ExternalKind.Memory).copy(type);
    }
  });
}
