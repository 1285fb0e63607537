import { Cursor } from './cursor.ts';
import type { WasmModule } from './module.ts';
import { SectionId } from './sections.ts';

/** The range of a function's body: its locals and instructions, without the size that precedes them. */
export interface FunctionBody {
  /** Bytes from the start of the file. */
  offset: number;
  /** Bytes. */
  size: number;
}

/**
 * Finds the bodies of a module's functions. It does not read their contents. The format:
 * https://webassembly.github.io/spec/core/binary/modules.html#code-section
 *
 * @param bytes wire bytes
 * @param module what `readModule` returned for them
 * @param file the name of the file, for messages
 * @returns a body for each declared function. The index of the first function is the number of imported functions
 * @throws WasmPrecompileError `INVALID_WASM` if the code section is damaged or does not have one body for each
 *   function
 */
export function readFunctionBodies(
  bytes: Uint8Array,
  { sections, functions }: Pick<WasmModule, 'sections' | 'functions'>,
  file?: string,
): FunctionBody[] {
  const section = sections.find(({ id }) => id === SectionId.Code) ?? { offset: bytes.length, size: 0 };
  const cursor = new Cursor(bytes, section.offset, section.offset + section.size, 'code section', file);
  const start = cursor.offset;
  const bodies: FunctionBody[] = [];
  if (section.size > 0) {
    // The smallest body takes 3 bytes: a size, no locals, `end`.
    cursor.skipVector('function bodies', 3, () => {
      const size = cursor.u32('the size of a function body');
      bodies.push({ offset: cursor.offset, size });
      cursor.skip(size, 'a function body');
    });
    cursor.finish();
  }
  if (bodies.length !== functions) {
    cursor.invalid(`as many function bodies as functions (${functions})`, `${bodies.length}`, start);
  }
  return bodies;
}
