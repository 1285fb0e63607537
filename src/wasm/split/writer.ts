import { encodeUnsigned } from '../binary/leb128.ts';
import type { Range } from './anatomy.ts';

/** Bytes that were taken over from a module, and where they are now. */
export interface Copy {
  /** In the module. */
  from: number;
  /** In what was written. */
  to: number;
  size: number;
}

/**
 * Writes the values of the wasm binary format one after another, some of them as they are in a module, and remembers
 * where these came from. Values: https://webassembly.github.io/spec/core/binary/values.html
 */
export class Writer {
  readonly #source: Uint8Array;
  /** Grows by doubling. */
  #bytes = new Uint8Array(1024);
  #size = 0;
  readonly copies: Copy[] = [];

  /** @param source the module that {@link copy} copies from */
  constructor(source: Uint8Array) {
    this.#source = source;
  }

  /** What was written: a view, until more is written. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  u8(...values: readonly number[]): this {
    this.#reserve(values.length);
    this.#bytes.set(values, this.#size);
    this.#size += values.length;
    return this;
  }

  u32(value: number): this {
    return this.u8(...encodeUnsigned(value));
  }

  /** A signed number in LEB128: not negative here. */
  s32(value: number): this {
    let rest = value;
    for (; rest >= 0x40; rest >>>= 7) this.u8((rest & 0x7f) | 0x80);
    return this.u8(rest);
  }

  name(text: string): this {
    const encoded = new TextEncoder().encode(text);
    return this.u32(encoded.length).u8(...encoded);
  }

  copy({ offset, size }: Range): this {
    if (size === 0) return this;
    const last = this.copies.at(-1);
    if (last && last.from + last.size === offset && last.to + last.size === this.#size) last.size += size;
    else this.copies.push({ from: offset, to: this.#size, size });
    return this.write(this.#source.subarray(offset, offset + size));
  }

  /** Bytes whose place in the module, if they have one, is not remembered. */
  write(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
    return this;
  }

  /** What another writer of the same module has written. */
  append(other: Writer): this {
    const start = this.#size;
    this.write(other.bytes);
    for (const { from, to, size } of other.copies) this.copies.push({ from, to: start + to, size });
    return this;
  }

  /** Something preceded by its size. */
  sized(write: (content: Writer) => void): this {
    const content = new Writer(this.#source);
    write(content);
    return this.u32(content.#size).append(content);
  }

  #reserve(size: number): void {
    if (this.#size + size <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#size + size));
    grown.set(this.bytes);
    this.#bytes = grown;
  }
}
