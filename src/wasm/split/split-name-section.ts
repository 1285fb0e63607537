import { WasmPrecompileError } from '../../common/error.ts';
import { Cursor } from '../binary/cursor.ts';
import type { Range } from './module-layout.ts';
import type { ModuleWriter } from './module-writer.ts';

/** https://webassembly.github.io/spec/core/appendix/custom.html#name-section */
const MODULE_NAME = 0;
const FUNCTION_NAMES = 1;
const LOCAL_NAMES = 2;
/** From the extended name section proposal: https://github.com/WebAssembly/extended-name-section */
const LABEL_NAMES = 3;
const DATA_NAMES = 9;

/** The module of a split that names are written for. */
export interface NamedModule {
  isPrimary: boolean;
  /** Whether it has the data segments of the original module, with their indices. */
  hasData: boolean;
  /** Whether it has the body of a function. */
  isOwn(index: number): boolean;
}

/**
 * Writes the subsections of a name section for one module of a split. Names of functions, locals and labels go
 * to the module with the function's body, so that stack traces stay the same. Every module gets the module's
 * own name. All other names go to the primary, except names of data segments that it does not have.
 *
 * @param section the content of the original section, without the section's name
 * @returns false if the original section is damaged: then the caller must discard what was written
 */
export function splitNameSection(
  bytes: Uint8Array,
  section: Range,
  { isPrimary, hasData, isOwn }: NamedModule,
  writer: ModuleWriter,
): boolean {
  try {
    const cursor = new Cursor(bytes, section.offset, section.offset + section.size, 'name section');
    while (cursor.left > 0) {
      const start = cursor.offset;
      const id = cursor.u8('a subsection id');
      const size = cursor.u32('the size of a subsection');
      const { offset } = cursor;
      cursor.skip(size, 'a subsection');
      const content = new Cursor(bytes, offset, offset + size, 'a subsection of names');
      if (id === FUNCTION_NAMES || id === LOCAL_NAMES || id === LABEL_NAMES) {
        const own = readOwn(content, id !== FUNCTION_NAMES, isOwn);
        writer.u8(id).sized((to) => {
          to.u32(own.length);
          for (const entry of own) to.copy(entry);
        });
      } else if (id === DATA_NAMES ? hasData : isPrimary || id === MODULE_NAME) {
        writer.copy({ offset: start, size: cursor.offset - start });
      }
    }
    return true;
  } catch (error) {
    if (error instanceof WasmPrecompileError) return false;
    throw error;
  }
}

/** @param nested whether each function has a map of names, not one name */
function readOwn(content: Cursor, nested: boolean, isOwn: NamedModule['isOwn']): Range[] {
  const own: Range[] = [];
  const skipName = () => {
    const size = content.u32('the size of a name');
    content.skip(size, 'a name');
  };
  content.skipVector('names', 2, () => {
    const { offset } = content;
    const index = content.u32('a function index');
    if (nested) {
      content.skipVector('names', 2, () => {
        content.u32('an index');
        skipName();
      });
    } else skipName();
    if (isOwn(index)) own.push({ offset, size: content.offset - offset });
  });
  content.finish();
  return own;
}
