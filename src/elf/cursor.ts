import { WasmPrecompileError } from '../common/error.ts';

/** Formats an offset for messages, in the notation of readelf and objdump. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/**
 * Creates the error for a damaged file.
 *
 * @param file how messages name the file
 * @param offset offset of the damage, in bytes from the start of the file
 */
export function invalidElf(
  file: string,
  offset: number,
  expected: string,
  found: string,
  options?: ErrorOptions,
): WasmPrecompileError {
  const message = `${file}: expected ${expected} at offset ${hex(offset)}, found ${found}. The file is damaged, incomplete, or not a precompiled artifact. Build it again.`;
  return new WasmPrecompileError('INVALID_ELF', message, options);
}

/** Returns the smallest multiple of `alignment` that is not below `value`. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

const encoder = new TextEncoder();

/**
 * Reads and writes little-endian fields one after another. Reading past the end throws INVALID_ELF. Writing
 * past the end is a bug in the caller and throws a RangeError.
 */
export class Cursor {
  /** Offset of the next field, in bytes. */
  offset: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  readonly #base: number;

  /**
   * @param file how messages name the file
   * @param base offset of `bytes` in the file, for the offsets in messages
   */
  constructor(bytes: Uint8Array, offset = 0, file = 'ELF file', base = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
    this.#base = base;
    this.offset = offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.offset;
  }

  readU8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  readU16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  readU32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Reads a 64-bit field. Throws INVALID_ELF if no number holds it exactly: no file is that large. */
  readU64(): number {
    const at = this.#take(8);
    const value = this.#view.getBigUint64(at, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw invalidElf(this.#file, this.#base + at, 'a 64-bit number below 2^53', `0x${value.toString(16)}`);
    }
    return Number(value);
  }

  /** Returns a view, not a copy. */
  readBytes(size: number): Uint8Array {
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }

  skip(size: number): void {
    this.#take(size);
  }

  writeU8(value: number): void {
    this.#view.setUint8(this.#advance(1), value);
  }

  writeU16(value: number): void {
    this.#view.setUint16(this.#advance(2), value, true);
  }

  writeU32(value: number): void {
    this.#view.setUint32(this.#advance(4), value, true);
  }

  writeU64(value: number): void {
    this.#view.setBigUint64(this.#advance(8), BigInt(value), true);
  }

  writeBytes(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#advance(bytes.length));
  }

  /** Writes UTF-8 and a NUL. */
  writeString(text: string): void {
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(this.offset));
    this.offset += written;
    this.writeU8(0);
  }

  #take(size: number): number {
    if (size > this.remaining) {
      const found = `${Math.max(0, this.remaining)} (the end of the contents)`;
      throw invalidElf(this.#file, this.#base + this.offset, `${size} more bytes`, found);
    }
    return this.#advance(size);
  }

  #advance(size: number): number {
    const at = this.offset;
    this.offset += size;
    return at;
  }
}
