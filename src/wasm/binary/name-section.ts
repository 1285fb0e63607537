import { WasmPrecompileError } from '../../common/error.ts';
import { Cursor } from './cursor.ts';
import type { CustomSection } from './sections.ts';

/** The subsection of function names: https://webassembly.github.io/spec/core/appendix/custom.html#name-section */
const FUNCTION_NAMES = 1;

/** The subsection of the module's name. */
const MODULE_NAME = 0;

/**
 * Reads function names from the name section.
 *
 * @param bytes wire bytes
 * @param section their name section
 * @returns names by function index (imported functions first). Empty if the section is damaged: the spec says that
 *   errors in custom sections are to be ignored
 */
export function readFunctionNames(bytes: Uint8Array, section: CustomSection): Map<number, string> {
  const names = new Map<number, string>();
  const complete = readSubsections(bytes, section, FUNCTION_NAMES, (content) => {
    content.skipVector('function names', 2, () => {
      const index = content.u32('a function index');
      names.set(index, content.name('a function name'));
    });
  });
  return complete ? names : new Map();
}

/**
 * Reads the module's own name from the name section.
 *
 * @param bytes wire bytes
 * @param section their name section
 * @returns undefined if it has none, or if the section is damaged
 */
export function readModuleName(bytes: Uint8Array, section: CustomSection): string | undefined {
  let name: string | undefined;
  const complete = readSubsections(bytes, section, MODULE_NAME, (content) => {
    name = content.name('the name of the module');
  });
  return complete ? name : undefined;
}

/** @returns false if the section is damaged */
function readSubsections(
  bytes: Uint8Array,
  section: CustomSection,
  wanted: number,
  read: (content: Cursor) => void,
): boolean {
  const cursor = new Cursor(bytes, section.offset, section.offset + section.size, 'name section');
  try {
    while (cursor.left > 0) {
      const id = cursor.u8('a subsection id');
      const size = cursor.u32('the size of a subsection');
      const start = cursor.offset;
      cursor.skip(size, 'a subsection');
      if (id === wanted) read(new Cursor(bytes, start, start + size, 'a subsection of names'));
    }
  } catch (error) {
    if (error instanceof WasmPrecompileError) return false;
    throw error;
  }
  return true;
}
