// The symbols of an artifact. For each native code section, all of them local and in order of address:
//
// - an STT_FUNC symbol per function with machine code, over its instructions and nothing else, named from the wasm
//   name section without control characters, or `wasm-function[17]` (as V8's stack traces call it) where that is empty;
// - an STT_OBJECT symbol over every gap: `v8-header` before the first function, and `v8-metadata[17]` after the
//   instructions of function 17 up to the next function or the end;
// - or, when the layout is unknown, one STT_OBJECT symbol `v8-native-code` over everything: without knowing where
//   instructions are, showing it as data is the only thing that is right. (`objdump -D` disassembles it all the same.)
//
// In an object also, global and without type or size, for C programs to declare: `wasm_<name>_start` and `_end` around
// the wire bytes; `native_<name>_start` and `_end` around the native code of the first target; and for every target,
// also the only one, `native_<name>_v8_13_6_233_17_start` and `_end`, after what its section is named after. What no C
// identifier may contain becomes `_`.

import { WasmPrecompileError } from '../common/error.ts';
import { STB_GLOBAL, STB_LOCAL, STT_FUNC, STT_NOTYPE, STT_OBJECT } from '../elf/constants.ts';
import type { SymbolInput } from '../elf/write.ts';
import type { FunctionRange, NativeCode } from './contents.ts';
import { SECTION_TEXT_PREFIX, SECTION_WASM } from './sections.ts';

/** The symbol name of a function that has no name. */
export function unnamedFunction(index: number): string {
  return `wasm-function[${index}]`;
}

/**
 * Function ranges in order of offset.
 * @throws INVALID_NATIVE_CODE if they are empty, overlap, or reach out of the native code
 */
export function sortRanges(native: NativeCode): FunctionRange[] {
  const ranges = native.functions.toSorted((a, b) => a.offset - b.offset);
  let end = 0;
  for (const { index, offset, size } of ranges) {
    if (size <= 0 || offset < end || offset + size > native.bytes.length) {
      throw new WasmPrecompileError(
        'INVALID_NATIVE_CODE',
        `${native.engine}: function ${index} has ${size} bytes of instructions at offset ${offset} of ` +
          `${native.bytes.length} bytes of native code, and the function before it ends at ${end}`,
      );
    }
    end = offset + size;
  }
  return ranges;
}

/** Local symbols for all of a section with native code. */
export function nativeSymbols(
  section: string,
  native: NativeCode,
  ranges: readonly FunctionRange[],
  names: ReadonlyMap<number, string>,
): SymbolInput[] {
  const engine = native.version.split('-', 1)[0] ?? native.version;
  const symbols: SymbolInput[] = [];
  const add = (type: number, name: string, offset: number, end: number) => {
    if (end > offset) {
      symbols.push({ name, binding: STB_LOCAL, type, section, offset, size: end - offset });
    }
  };
  const size = native.bytes.length;
  const first = ranges[0];
  if (!first) {
    add(STT_OBJECT, `${engine}-native-code`, 0, size);
    return symbols;
  }
  add(STT_OBJECT, `${engine}-header`, 0, first.offset);
  ranges.forEach((range, position) => {
    const end = range.offset + range.size;
    const name = names.get(range.index)?.replaceAll(/\p{Cc}/gu, '') || unnamedFunction(range.index);
    add(STT_FUNC, name, range.offset, end);
    add(STT_OBJECT, `${engine}-metadata[${range.index}]`, end, ranges[position + 1]?.offset ?? size);
  });
  return symbols;
}

/**
 * Global symbols of an object.
 * @throws INVALID_ARTIFACT if two targets get the same symbol
 */
export function linkSymbols(
  name: string,
  wire: Uint8Array,
  natives: readonly { section: string; size: number }[],
): SymbolInput[] {
  const symbols = around(`wasm_${name}`, SECTION_WASM, wire.length);
  const [first] = natives;
  if (first) {
    symbols.push(...around(`native_${name}`, first.section, first.size));
  }
  for (const { section, size } of natives) {
    symbols.push(...around(`native_${name}_${section.slice(SECTION_TEXT_PREFIX.length)}`, section, size));
  }
  const names = symbols.map((symbol) => symbol.name);
  if (new Set(names).size < names.length) {
    throw new WasmPrecompileError('INVALID_ARTIFACT', `Symbols must differ: ${names.join(', ')}`);
  }
  return symbols;
}

function around(name: string, section: string, size: number): SymbolInput[] {
  const identifier = name.replaceAll(/\W/g, '_');
  const symbol = { binding: STB_GLOBAL, type: STT_NOTYPE, section, size: 0 };
  return [
    { ...symbol, name: `${identifier}_start`, offset: 0 },
    { ...symbol, name: `${identifier}_end`, offset: size },
  ];
}
