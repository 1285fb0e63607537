/** Writes the code section of a module of a split: its own bodies, and stubs for the functions of others. */
import { SectionId } from '../binary/sections.ts';
import type { SplitAnalysis } from './analyse-split.ts';
import { PRIMARY } from './assign-functions.ts';
import { ExternalKind } from './module-layout.ts';
import { ModuleWriter } from './module-writer.ts';
import {
  CALL_INDIRECT,
  END,
  GLOBAL_GET,
  I32_CONST,
  IF,
  LOCAL_GET,
  NO_VALUE,
  RETURN_CALL_INDIRECT,
  UNREACHABLE,
} from './opcodes.ts';
import { sectionCursor } from './shared-sections.ts';

/**
 * @param module the number of the module
 * @param stubbed whether to write stubs for the functions whose bodies the last secondary has: for the stubbed
 *   primary
 */
export function writeCodeSection(
  content: ModuleWriter,
  analysis: SplitAnalysis,
  module: number,
  stubbed = false,
): void {
  const { wire, layout, importedFunctions, stubbedSlots, slots, called, moduleCount } = analysis;
  const { bodies, sections } = layout;
  content.u32(bodies.length);
  const code = sections.find(({ id }) => id === SectionId.Code);
  if (!code) return;
  const cursor = sectionCursor(wire, code);
  cursor.u32('a count');
  // Each body is copied with the size that precedes it, since that may be padded.
  let start = cursor.offset;
  for (const [i, { offset, size }] of bodies.entries()) {
    const index = importedFunctions + i;
    const stubbedSlot = stubbed ? stubbedSlots.get(index) : undefined;
    if (stubbedSlot !== undefined) content.append(stub(analysis, index, moduleCount - 1, stubbedSlot));
    else if (analysis.hasBody(module, index)) content.copy({ offset: start, size: offset + size - start });
    else if (called[module]?.has(index)) {
      content.append(stub(analysis, index, analysis.moduleOf(index), slots.get(index) ?? 0));
    } else content.u8(3, 0, UNREACHABLE, END);
    start = offset + size;
  }
}

/**
 * The body of a stub. For a function of a secondary it first checks that the secondary is loaded:
 *
 *     global.get $absent<module>
 *     if  i32.const <module>  i32.const <index>  i32.const 0  call_indirect $hook  end
 *     local.get 0 …
 *     i32.const <slot>
 *     return_call_indirect $functions
 *
 * @param module the number of the module that has the body
 * @param slot its slot in the table `functions`
 */
function stub(
  { wire, layout, tailCalls }: SplitAnalysis,
  index: number,
  module: number,
  slot: number,
): ModuleWriter {
  const { functionTypes, parameters, state, types } = layout;
  const type = functionTypes[index] ?? 0;
  const functionsTable = state[ExternalKind.Table].length;
  return new ModuleWriter(wire).sized((body) => {
    // No locals.
    body.u8(0);
    if (module !== PRIMARY) {
      body
        .u8(GLOBAL_GET)
        .u32(state[ExternalKind.Global].length + module - 1)
        .u8(IF, NO_VALUE, I32_CONST)
        .s32(module)
        .u8(I32_CONST)
        .s32(index)
        .u8(I32_CONST, 0, CALL_INDIRECT)
        .u32(types)
        .u32(functionsTable + 1)
        .u8(END);
    }
    for (let local = 0; local < parameters(type); local++) body.u8(LOCAL_GET).u32(local);
    body
      .u8(I32_CONST)
      .s32(slot)
      .u8(tailCalls ? RETURN_CALL_INDIRECT : CALL_INDIRECT)
      .u32(type)
      .u32(functionsTable)
      .u8(END);
  });
}
