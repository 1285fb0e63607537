import type { Cursor } from './cursor.ts';

/** Collects the contents of an SHT_STRTAB section. Equal strings are stored once. */
export class StringTable {
  /** Bytes. The table starts with the empty string, at offset 0. */
  size = 1;
  readonly #offsets = new Map<string, number>();

  /** Returns the offset of a string in the table. */
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
