/** What a module is called, for people and for the names of files. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { decodeWasmNotes } from '../artifact/wasm-notes.ts';
import { SECTION_NOTE_WASM } from '../artifact/sections.ts';
import { readNotes } from '../elf/notes.ts';
import { readElf } from '../elf/read.ts';
import type { LoadedModule } from '../recorder/folder.ts';
import { readModuleName } from '../wasm/binary/name-section.ts';
import { readSections } from '../wasm/binary/sections.ts';

/** @returns the name, and how sure it is: 0 is the surest */
export async function nameModule(
  wire: Uint8Array,
  hash: string,
  { file, url }: LoadedModule,
): Promise<{ name: string; rank: number }> {
  const names = [
    file === undefined ? undefined : await nameOfFile(file),
    moduleNameOf(wire),
    url === undefined ? undefined : stem(new URL(url, 'file:').pathname),
  ];
  const rank = names.findIndex((name) => name !== undefined && name !== '');
  return rank === -1
    ? { name: `module-${hash.slice(0, 8)}`, rank: names.length }
    : { name: names[rank] ?? '', rank };
}

/** Of the module in a file. An artifact knows what the module was called before a bundler gave it a name. */
export async function nameOfFile(file: string): Promise<string> {
  if (file.endsWith('.elf')) {
    try {
      const elf = readElf(await readFile(file), file);
      const notes = elf.sections.find(({ name }) => name === SECTION_NOTE_WASM);
      if (notes) return decodeWasmNotes(readNotes(notes, file), file).description.name;
    } catch {
      // It is gone by now, or damaged: the file's own name, then.
    }
  }
  return stem(file);
}

function moduleNameOf(wire: Uint8Array): string | undefined {
  try {
    const section = readSections(wire).customSections.find(({ name }) => name === 'name');
    const name = section && readModuleName(wire, section);
    return name === undefined ? undefined : stem(name);
  } catch {
    // A program may try bytes that are no module, and end before it can tell.
    return undefined;
  }
}

/** Base name without extension, of a path or of what a compiler calls a module. */
export function stem(path: string): string {
  return basename(path.replaceAll('\\', '/')).replace(/\.(?:wasm|elf)$/, '');
}
