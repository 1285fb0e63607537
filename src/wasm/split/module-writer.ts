import { encodeUnsigned } from '../binary/leb128.ts';
import type { Range } from './module-layout.ts';

/** Bytes that were copied from a module. */
export interface Copy {
  /** Offset in the module. */
  from: number;
  /** Offset in the written bytes. */
  to: number;
  size: number;
}

/**
 * Writes the values of the wasm binary format one after another, copies bytes of a module, and records where
 * these came from. Values: https://webassembly.github.io/spec/core/binary/values.html
 */
export class ModuleWriter {
  readonly #source: Uint8Array;
  /** Doubles when it is full. */
  #bytes = new Uint8Array(1024);
  #size = 0;
  readonly copies: Copy[] = [];

  /** @param source the module that {@link copy} copies from */
  constructor(source: Uint8Array) {
    this.#source = source;
  }

  /** The written bytes: a view, valid until the next write. */
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

  /** Writes a signed number in LEB128. It must not be negative. */
  s32(value: number): this {
    let rest = value;
    for (; rest >= 0x40; rest >>>= 7) this.u8((rest & 0x7f) | 0x80);
    return this.u8(rest);
  }

  /** Writes a name: a size, then UTF-8. */
  name(text: string): this {
    const encoded = new TextEncoder().encode(text);
    return this.u32(encoded.length).u8(...encoded);
  }

  /** Copies bytes of the module and records the copy. */
  copy({ offset, size }: Range): this {
    if (size === 0) return this;
    const last = this.copies.at(-1);
    if (last && last.from + last.size === offset && last.to + last.size === this.#size) last.size += size;
    else this.copies.push({ from: offset, to: this.#size, size });
    return this.write(this.#source.subarray(offset, offset + size));
  }

  /** Writes bytes without recording where they came from. */
  write(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
    return this;
  }

  /** Appends what another writer has written, with its copies. Both must copy from the same module. */
  append(other: ModuleWriter): this {
    const start = this.#size;
    this.write(other.bytes);
    for (const { from, to, size } of other.copies) this.copies.push({ from, to: start + to, size });
    return this;
  }

  /** Writes content after its size. */
  sized(write: (content: ModuleWriter) => void): this {
    const content = new ModuleWriter(this.#source);
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
