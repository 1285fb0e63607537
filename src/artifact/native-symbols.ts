/**
 * The symbols of an artifact. Each native code section has local symbols in order of address:
 *
 * - An STT_FUNC symbol for each function with machine code. It covers exactly the function's instructions. Its
 *   name is from the wasm name section, without control characters. If that is empty it is `wasm-function[17]`,
 *   the name in V8's stack traces.
 * - An STT_OBJECT symbol for each gap: `v8-header` before the first function, and `v8-metadata[17]` after the
 *   instructions of function 17.
 * - If the layout is unknown, one STT_OBJECT symbol `v8-native-code` over everything. Disassemblers then show
 *   data, because the symbols cannot mark instructions. (`objdump -D` disassembles it nevertheless.)
 *
 * An object also has global symbols without type and size, for C programs to declare:
 *
 * - `wasm_<name>_start` and `_end` around the wire bytes;
 * - `native_<name>_start` and `_end` around the native code of the first target;
 * - for every target, also the only one, `native_<name>_v8_13_6_233_17_start` and `_end`, named like its section.
 *
 * Characters that a C identifier cannot have become `_`.
 */
import { WasmPrecompileError } from '../common/error.ts';
import { STB_GLOBAL, STB_LOCAL, STT_FUNC, STT_NOTYPE, STT_OBJECT } from '../elf/constants.ts';
import type { SymbolInput } from '../elf/write-elf.ts';
import type { FunctionRange, NativeCode } from './contents.ts';
import { SECTION_TEXT_PREFIX, SECTION_WASM } from './section-names.ts';

/** Returns the symbol name of a function that has no name. */
export function unnamedFunction(index: number): string {
  return `wasm-function[${index}]`;
}

/**
 * Returns the function ranges in order of offset.
 *
 * @throws INVALID_NATIVE_CODE if a range is empty, overlaps another one, or is outside of the native code
 */
export function sortRanges(native: NativeCode): FunctionRange[] {
  const ranges = native.functions.toSorted((a, b) => a.offset - b.offset);
  let end = 0;
  for (const { index, offset, size } of ranges) {
    if (size <= 0 || offset < end || offset + size > native.bytes.length) {
      throw new WasmPrecompileError(
        'INVALID_NATIVE_CODE',
        `${native.engine}: function ${index} has ${size} bytes of instructions at offset ${offset} of ` +
          `${native.bytes.length} bytes of native code, but the function before it ends at ${end}. ` +
          'This is an error in unplugin-wasm-precompile: report it.',
      );
    }
    end = offset + size;
  }
  return ranges;
}

/** Returns local symbols that cover all of a native code section. */
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
 * Returns the global symbols of an object.
 *
 * @throws INVALID_ARTIFACT if two targets have the same symbol
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
    throw new WasmPrecompileError(
      'INVALID_ARTIFACT',
      `Two targets have the same symbol: ${names.join(', ')}. Build an object for each target.`,
    );
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
