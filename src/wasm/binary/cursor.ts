import { wasmError } from './wasm-error.ts';

// A byte order mark is part of a name: two names that differ only in it are different.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads the values of the wasm binary format one after another, never beyond an end.
 * Values: https://webassembly.github.io/spec/core/binary/values.html
 *
 * If the bytes end too early or are no such value, a method throws a {@link WasmPrecompileError} with the code
 * `INVALID_WASM`. The argument `what` (`a type index`) names the value in its message.
 */
export class Cursor {
  /** Offset of the next byte to read, in bytes from the start of the file. */
  offset: number;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #place: string;
  readonly #file: string | undefined;

  /**
   * @param bytes the whole file
   * @param start offset of the first byte to read
   * @param end offset after the last byte to read, at most `bytes.length`
   * @param place the part of the format, such as `type section`, for messages
   * @param file the name of the file, for messages
   */
  constructor(bytes: Uint8Array, start: number, end: number, place: string, file?: string | undefined) {
    this.#bytes = bytes;
    this.offset = start;
    this.#end = end;
    this.#place = place;
    this.#file = file;
  }

  /** How many bytes are left to read. */
  get left(): number {
    return this.#end - this.offset;
  }

  /** Returns the next byte without reading it; undefined at the end. */
  peek(): number | undefined {
    return this.offset < this.#end ? this.#bytes[this.offset] : undefined;
  }

  u8(what: string): number {
    const byte = this.peek();
    if (byte === undefined) this.invalid(what, `the end of the ${this.#place}`);
    this.offset++;
    return byte;
  }

  /** Reads an unsigned 32-bit number in LEB128. */
  u32(what: string): number {
    return this.#unsigned(32, what);
  }

  /** Reads an unsigned 64-bit number in LEB128. Above `Number.MAX_SAFE_INTEGER` the result is approximate. */
  u64(what: string): number {
    return this.#unsigned(64, what);
  }

  /** Reads a signed 33-bit number in LEB128, the encoding of heap types. */
  s33(what: string): number {
    const start = this.offset;
    let value = 0;
    for (let shift = 0; shift <= 28; shift += 7) {
      const byte = this.u8(what);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte >= 0x80) continue;
      const sign = byte & 0x70;
      if (shift === 28 && sign !== 0 && sign !== 0x70) break;
      return byte & 0x40 ? value - 2 ** (shift + 7) : value;
    }
    return this.invalid(what, 'a LEB128 number of more than 33 bits', start);
  }

  /** Skips a signed number in LEB128 of at most `bits` bits. */
  skipSigned(bits: 32 | 64, what: string): void {
    const start = this.offset;
    for (let left = Math.ceil(bits / 7); left > 0; left--) if (this.u8(what) < 0x80) return;
    this.invalid(what, `a LEB128 number of more than ${bits} bits`, start);
  }

  skip(size: number, what: string): void {
    if (size > this.left) this.invalid(`${what} of ${size} bytes`, `${this.left} bytes`);
    this.offset += size;
  }

  /** Reads a name: a size, then as many bytes of UTF-8. */
  name(what: string): string {
    const size = this.u32(`the size of ${what}`);
    const start = this.offset;
    this.skip(size, what);
    try {
      return utf8.decode(this.#bytes.subarray(start, this.offset));
    } catch {
      return this.invalid(`${what} in UTF-8`, 'bytes that are not UTF-8', start);
    }
  }

  /**
   * Reads the count of a vector and checks it against the bytes that are left. So a hostile count makes no
   * caller loop or allocate for elements that cannot exist.
   *
   * @param what the elements
   * @param size the least bytes that an element takes
   */
  count(what: string, size: number): number {
    const start = this.offset;
    const count = this.u32(`the count of ${what}`);
    if (count * size > this.left) {
      this.invalid(
        `at most ${Math.floor(this.left / size)} ${what} in the ${this.left} bytes left`,
        `${count}`,
        start,
      );
    }
    return count;
  }

  /** Reads a vector. */
  vector<T>(what: string, size: number, read: () => T): T[] {
    const elements: T[] = [];
    for (let left = this.count(what, size); left > 0; left--) elements.push(read());
    return elements;
  }

  /** Skips a vector. */
  skipVector(what: string, size: number, skip: () => void): void {
    for (let left = this.count(what, size); left > 0; left--) skip();
  }

  /** Throws if bytes are left to read. */
  finish(): void {
    if (this.left > 0) this.invalid(`the end of the ${this.#place}`, `${this.left} more bytes`);
  }

  /** Throws `INVALID_WASM`. `offset` is the place of the damage: by default the next byte. */
  invalid(expected: string, found: string, offset = this.offset, advice?: string): never {
    throw wasmError('INVALID_WASM', {
      file: this.#file,
      place: this.#place,
      offset,
      expected,
      found,
      advice,
    });
  }

  /** Throws `UNSUPPORTED_WASM` for a code at `offset` that a newer version of the format may define. */
  unsupported(expected: string, code: number, offset: number): never {
    const found = code < 0 ? `${code}` : `0x${code.toString(16).padStart(2, '0')}`;
    throw wasmError('UNSUPPORTED_WASM', { file: this.#file, place: this.#place, offset, expected, found });
  }

  #unsigned(bits: 32 | 64, what: string): number {
    const start = this.offset;
    let value = 0;
    for (let shift = 0; shift < bits; shift += 7) {
      const byte = this.u8(what);
      // The last byte has more bits than the number needs. They must be zero.
      if (bits - shift < 7 && byte >> (bits - shift) !== 0) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return this.invalid(what, `a LEB128 number of more than ${bits} bits`, start);
  }
}
