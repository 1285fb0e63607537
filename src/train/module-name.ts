/** Names modules, for messages and for file names. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { decodeWasmNotes } from '../artifact/wasm-notes.ts';
import { SECTION_NOTE_WASM } from '../artifact/section-names.ts';
import { readNotes } from '../elf/notes.ts';
import { readElf } from '../elf/read-elf.ts';
import type { ModuleOrigin } from '../recorder/record-folder.ts';
import { readModuleName } from '../wasm/binary/name-section.ts';
import { readSections } from '../wasm/binary/sections.ts';

/** @returns the name, and how reliable it is: 0 is the most reliable */
export async function nameModule(
  wire: Uint8Array,
  hash: string,
  { file, url }: ModuleOrigin,
): Promise<{ name: string; rank: number }> {
  const names = [
    file === undefined ? undefined : await readFileModuleName(file),
    readNameSection(wire),
    url === undefined ? undefined : stripExtension(new URL(url, 'file:').pathname),
  ];
  const rank = names.findIndex((name) => name !== undefined && name !== '');
  return rank === -1
    ? { name: `module-${hash.slice(0, 8)}`, rank: names.length }
    : { name: names[rank] ?? '', rank };
}

/** Returns the name of the module in a file. An artifact stores the name from before the bundler renamed the file. */
export async function readFileModuleName(file: string): Promise<string> {
  if (file.endsWith('.elf')) {
    try {
      const elf = readElf(await readFile(file), file);
      const notes = elf.sections.find(({ name }) => name === SECTION_NOTE_WASM);
      if (notes) return decodeWasmNotes(readNotes(notes, file), file).description.name;
    } catch {
      // The file is gone or damaged: use its file name.
    }
  }
  return stripExtension(file);
}

function readNameSection(wire: Uint8Array): string | undefined {
  try {
    const section = readSections(wire).customSections.find(({ name }) => name === 'name');
    const name = section && readModuleName(wire, section);
    return name === undefined ? undefined : stripExtension(name);
  } catch {
    // A program may compile invalid bytes, and end before the engine reports that.
    return undefined;
  }
}

/** Returns the base name without extension, of a path or of a compiler's module name. */
export function stripExtension(path: string): string {
  return basename(path.replaceAll('\\', '/')).replace(/\.(?:wasm|elf)$/, '');
}
