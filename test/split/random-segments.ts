/** Random modules with data segments like those of Go's linker: many, small, and close to each other. */
import { readModule } from '../../src/wasm/binary/module.ts';
import { Cursor } from '../../src/wasm/binary/cursor.ts';
import { PREAMBLE_SIZE, SectionId } from '../../src/wasm/binary/sections.ts';
import { ModuleWriter } from '../../src/wasm/split/module-writer.ts';

/** Bytes of memory that wasm-opt gives its random modules. */
const MEMORY_SIZE = 2 ** 20;

const MEMORY = 2;
const I32_CONST = 0x41;
const END = 0x0b;

/**
 * Replaces the data segments of a module, and exports its memory so that a test can read them. The result is
 * not valid if functions refer to segments, because it has no data count section, or if addresses have 64 bits.
 */
export function withSegments(wire: Uint8Array, random: (limit: number) => number): Uint8Array {
  const writer = new ModuleWriter(wire).copy({ offset: 0, size: PREAMBLE_SIZE });
  for (const { id, start, offset, size } of readModule(wire).sections) {
    if (id === SectionId.DataCount || id === SectionId.Data) continue;
    if (id === SectionId.Export) {
      const exports = new Cursor(wire, offset, offset + size, 'export section');
      const count = exports.u32('a count');
      writer.u8(id).sized((content) =>
        content
          .u32(count + 1)
          .copy({ offset: exports.offset, size: exports.left })
          .name('random memory')
          .u8(MEMORY, 0),
      );
    } else writer.copy({ offset: start, size: offset + size - start });
    if (id === SectionId.Code) {
      writer.u8(SectionId.Data).sized((content) => writeSegments(content, random));
    }
  }
  return writer.bytes;
}

function writeSegments(writer: ModuleWriter, random: (limit: number) => number): void {
  const overlapping = random(4) === 0;
  const outOfBounds = random(20) === 0;
  const count = 10 + random(90);
  writer.u32(count + (outOfBounds ? 1 : 0));
  const write = (address: number, size: number) => {
    writer.u8(0, I32_CONST).s32(address).u8(END).u32(size);
    for (let left = size; left > 0; left--) writer.u8(random(256));
  };
  // Regions go downwards, so that segments are not in the order of addresses.
  const regionSize = 20_000;
  let region = 50;
  let at = region * regionSize;
  for (let left = count; left > 0; left--) {
    const size = random(random(5) === 0 ? 100 : 9);
    write(at, size);
    at += size + random(40);
    if (overlapping && random(10) === 0) at -= random(60);
    if (random(20) === 0 && region > 1) at = --region * regionSize;
  }
  if (outOfBounds) write(MEMORY_SIZE - 1, 2);
}
