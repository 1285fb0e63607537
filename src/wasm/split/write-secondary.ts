/** Writes a secondary: the bodies that are assigned to it, and imports for all state of the primary. */
import { PREAMBLE_SIZE, SectionId } from '../binary/sections.ts';
import type { SplitAnalysis } from './analyse-split.ts';
import { writeImports } from './linkage.ts';
import { ModuleWriter } from './module-writer.ts';
import { writeElements, writeNames, writeTypes } from './shared-sections.ts';
import { writeCodeSection } from './write-code-section.ts';

/** @param module the number of the secondary, from 1 on */
export function writeSecondary(analysis: SplitAnalysis, module: number): ModuleWriter {
  const { wire, layout } = analysis;
  const { sections, typeEntries } = layout;
  const find = (wanted: SectionId) => sections.find(({ id }) => id === wanted);
  const writer = new ModuleWriter(wire).copy({ offset: 0, size: PREAMBLE_SIZE });
  const write = (id: SectionId, edit: (content: ModuleWriter) => void) => writer.u8(id).sized(edit);
  write(SectionId.Type, (content) => writeTypes(content, wire, find(SectionId.Type), typeEntries));
  write(SectionId.Import, (content) => writeImports(content, analysis));
  const functions = find(SectionId.Function);
  if (functions) write(SectionId.Function, (content) => content.copy(functions));
  write(SectionId.Element, (content) => {
    content.u32(1);
    writeElements(content, analysis, module);
  });
  write(SectionId.Code, (content) => writeCodeSection(content, analysis, module));
  for (const section of sections) {
    const isNameSection = section.id === SectionId.Custom && section.name === 'name';
    if (isNameSection) writeNames(writer, analysis, section, module);
  }
  return writer;
}
