/** The sections that primaries and secondaries have in common, and the helpers that write them. */
import { Cursor } from '../binary/cursor.ts';
import { type Section, SectionId } from '../binary/sections.ts';
import type { SplitAnalysis } from './analyse-split.ts';
import { PRIMARY } from './assign-functions.ts';
import { ExternalKind, type Range } from './module-layout.ts';
import { ModuleWriter } from './module-writer.ts';
import { END, FUNC, I32, I32_CONST } from './opcodes.ts';
import { splitNameSection } from './split-name-section.ts';

/** The parameters of the hook: the numbers of the secondary and of the function. */
const HOOK_PARAMETERS = 2;

/** The flags of an element segment that names its table and lists function indices. */
const ACTIVE_IN_TABLE = 2;
/** The element kind of such a segment: functions. */
const FUNCTIONS = 0;

/** A cursor over the content of a section. */
export function sectionCursor(wire: Uint8Array, { offset, size }: Range): Cursor {
  return new Cursor(wire, offset, offset + size, 'section');
}

/** How many elements a section has. */
export function countElements(wire: Uint8Array, section: Section | undefined): number {
  return section ? sectionCursor(wire, section).u32('a count') : 0;
}

/** Copies the vector of a section, with a count that includes `added` elements. The caller writes these next. */
export function extendVector(
  content: ModuleWriter,
  wire: Uint8Array,
  old: Section | undefined,
  count: number,
  added: number,
): void {
  content.u32(count + added);
  if (!old) return;
  const cursor = sectionCursor(wire, old);
  cursor.u32('a count');
  content.copy({ offset: cursor.offset, size: cursor.left });
}

/** Writes the content of the type section. The added last type is that of the hook. */
export function writeTypes(
  content: ModuleWriter,
  wire: Uint8Array,
  old: Section | undefined,
  entries: number,
): void {
  extendVector(content, wire, old, entries, 1);
  content.u8(FUNC, HOOK_PARAMETERS, ...Array.from({ length: HOOK_PARAMETERS }, () => I32), 0);
}

/** Writes the element segment that puts the functions of a module into their slots. */
export function writeElements(content: ModuleWriter, analysis: SplitAnalysis, module: number): void {
  const { layout, slots, stubbedSlots, stubbedModule } = analysis;
  const own =
    module === stubbedModule
      ? [...stubbedSlots]
      : [...slots].filter(([index]) => analysis.moduleOf(index) === module);
  const [, first = 0] = own[0] ?? [];
  const functionsTable = layout.state[ExternalKind.Table].length;
  content
    .u32(ACTIVE_IN_TABLE)
    .u32(functionsTable)
    .u8(I32_CONST)
    .s32(first)
    .u8(END, FUNCTIONS)
    .u32(own.length);
  for (const [index] of own) content.u32(index);
}

/**
 * Writes the name section of a module.
 *
 * @returns false if the original name section is damaged: then nothing is written
 */
export function writeNames(
  writer: ModuleWriter,
  analysis: SplitAnalysis,
  section: Section,
  module: number,
): boolean {
  const { wire, mergedData } = analysis;
  const cursor = sectionCursor(wire, section);
  cursor.name('the name of a custom section');
  const content = { offset: cursor.offset, size: cursor.left };
  const isPrimary = module === PRIMARY;
  const named = {
    isPrimary,
    hasData: isPrimary && !mergedData,
    isOwn: (index: number) => analysis.hasBody(module, index),
  };
  const names = new ModuleWriter(wire);
  if (!splitNameSection(wire, content, named, names)) return false;
  writer.u8(SectionId.Custom).sized((to) => to.name(section.name).append(names));
  return true;
}
