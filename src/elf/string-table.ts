import type { Cursor } from './cursor.ts';

/** The contents of an SHT_STRTAB section: equal strings are stored once. */
export class StringTable {
  size = 1; // the empty string, which has offset 0
  readonly #offsets = new Map<string, number>();

  add(text: string): number {
    const known = text === '' ? 0 : this.#offsets.get(text);
    if (known !== undefined) {
      return known;
    }
    const offset = this.size;
    this.#offsets.set(text, offset);
    this.size += Buffer.byteLength(text) + 1;
    return offset;
  }

  write(cursor: Cursor): void {
    cursor.writeU8(0);
    for (const text of this.#offsets.keys()) {
      cursor.writeString(text);
    }
  }
}
