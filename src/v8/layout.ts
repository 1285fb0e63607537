/**
 * The layout of V8's native code (a serialized module), by V8 version. V8 writes it in src/wasm/wasm-serialization.cc:
 * `WriteHeader`, `NativeModuleSerializer::WriteHeader`, `WriteCode` and `WriteTieringBudget`. All numbers are
 * little-endian. n is the number of imported functions, f that of declared ones.
 *
 *  1. Header: magic, version hash, CPU features, flag hash (u32 each), then version-dependent fields, then the sum of
 *     all code sizes (u64), one byte 0 or 1 (whether all functions were validated), in 13.6 eight more bytes, and one
 *     byte for each of the n imports: the `WellKnownImport` that code relies on, 0 before the first instance.
 *  2. f function records. A record starts with one byte: 2 = lazy, 3 = eager, 4 = optimised. Nothing follows the first
 *     two. An optimised record continues with u32 fields about the code (the first ones are offsets of its metadata),
 *     the u32 sizes of the record's blocks (the code's first), five bytes of kind and tier, then the blocks.
 *  3. f tiering budgets (u32).
 *
 * The layout is known for the versions in `LAYOUTS` and was checked against real output of each. It counts as unknown,
 * and nothing is derived from it, unless the code parses to its exact end, with possible fields and the exact sum of
 * code sizes.
 */
import type { FunctionRange } from '../artifact/contents.ts';

interface Layout {
  /** Offset of the u64 sum of all code sizes; the byte of validation follows. */
  codeSizeSum: number;
  /** Offset of the first import's byte. */
  importStatuses: number;
  /** Offset of the u32 length of a string in the header. The other offsets hold only if it is 0. */
  stringLength?: number;
  /**
   * Number of u32 fields of an optimised record before its sizes. The first ones are offsets into the code, in this
   * order: constant pool, safepoint table, handler table, code comments and, if `jumpTableInfo`, jump table info. Then
   * comes the code's size before padding.
   */
  fields: number;
  jumpTableInfo: boolean;
  /** Number of u32 sizes of an optimised record; that of the code comes first. */
  sizes: number;
}

/** Layouts by the first two numbers of the V8 version. */
const LAYOUTS: ReadonlyMap<string, Layout> = new Map([
  ['11.3', { codeSizeSum: 16, importStatuses: 25, fields: 7, jumpTableInfo: false, sizes: 5 }],
  ['12.4', { codeSizeSum: 20, importStatuses: 29, fields: 7, jumpTableInfo: false, sizes: 5 }],
  ['13.6', { codeSizeSum: 24, importStatuses: 41, fields: 8, jumpTableInfo: false, sizes: 6 }],
  [
    '14.6',
    { codeSizeSum: 36, importStatuses: 45, stringLength: 24, fields: 9, jumpTableInfo: true, sizes: 7 },
  ],
]);

/** The upper half of the magic number (src/snapshot/snapshot-data.h); the lower one differs by version. */
const MAGIC = 0xc0de;

/** `WasmCode::Kind::kWasmFunction` (u32) and `ExecutionTier::kTurbofan` (u8). */
const WASM_FUNCTION = 0;
const TURBOFAN = 2;
const KIND_AND_TIER_SIZE = 5;

/** V8 pads code to a multiple of at most this many bytes (`kCodeAlignment` in src/common/globals.h). */
const LARGEST_CODE_ALIGNMENT = 64;

/** The first byte of a function's record. */
export const LAZY_BYTE = 2;
export const EAGER_BYTE = 3;
const OPTIMISED_BYTE = 4;

/** The counts of a module's functions. */
export interface FunctionCounts {
  /** Imported functions, n. */
  importedFunctions: number;
  /** Declared functions, f. */
  functions: number;
}

interface RecordBase {
  /** In the function index space of the module, which includes imported functions. */
  index: number;
  /** Offset of the record, in bytes from the start of the native code. */
  offset: number;
  /** Size of the record in bytes. */
  size: number;
  /** Roughly the bytes of code that the function executes before V8 optimises it: see executed.ts. */
  tieringBudget: number;
}

export interface OptimisedRecord extends RecordBase {
  kind: 'optimised';
  /** Bytes of code with its metadata and padding, as counted in the sum in the header. */
  codeSize: number;
  /** The range of its instructions, without jump tables and metadata. */
  instructions: FunctionRange;
}

/**
 * A function in native code. `optimised` records contain its code. V8 compiles a `lazy` function at its first call, and
 * an `eager` one with its baseline compiler when it loads the native code.
 */
export type FunctionRecord = (RecordBase & { kind: 'lazy' | 'eager' }) | OptimisedRecord;

/** All offsets are in bytes from the start of the native code. */
export interface NativeLayout {
  /** Offset of the u64 sum of all code sizes. */
  codeSizeSumOffset: number;
  /** Offset of one byte for each imported function. */
  importStatusesOffset: number;
  /** Offset of the first function's record. */
  recordsOffset: number;
  /** Offset of the u32 tiering budgets, one for each declared function. They end the native code. */
  budgetsOffset: number;
  /** Records of all declared functions, in the order of their indices. */
  records: FunctionRecord[];
}

/**
 * Parses native code.
 *
 * @param code native code as V8 wrote it
 * @param version `process.versions.v8` of the V8 that wrote it
 * @returns undefined if the layout is unknown
 */
export function parseNativeCode(
  code: Uint8Array,
  version: string,
  { importedFunctions, functions }: FunctionCounts,
): NativeLayout | undefined {
  const layout = LAYOUTS.get(version.split('.', 2).join('.'));
  if (!layout) return undefined;
  const recordsOffset = layout.importStatuses + importedFunctions;
  const budgetsOffset = code.length - functions * 4;
  // Each record has at least one byte.
  if (recordsOffset + functions > budgetsOffset) return undefined;

  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  if (view.getUint16(2, true) !== MAGIC || view.getUint8(layout.codeSizeSum + 8) > 1) return undefined;
  if (layout.stringLength !== undefined && view.getUint32(layout.stringLength, true) !== 0) return undefined;

  const records: FunctionRecord[] = [];
  let offset = recordsOffset;
  let codeSizeSum = 0;
  for (let i = 0; i < functions; i++) {
    if (offset >= budgetsOffset) return undefined;
    const index = importedFunctions + i;
    const tieringBudget = view.getUint32(budgetsOffset + i * 4, true);
    const byte = view.getUint8(offset);
    if (byte === OPTIMISED_BYTE) {
      const parsed = parseOptimised(view, offset, budgetsOffset, layout);
      if (!parsed) return undefined;
      const { size, codeSize, instructions } = parsed;
      records.push({
        kind: 'optimised',
        index,
        offset,
        size,
        tieringBudget,
        codeSize,
        instructions: { index, ...instructions },
      });
      codeSizeSum += codeSize;
      offset += size;
    } else if (byte === LAZY_BYTE || byte === EAGER_BYTE) {
      records.push({ kind: byte === LAZY_BYTE ? 'lazy' : 'eager', index, offset, size: 1, tieringBudget });
      offset += 1;
    } else {
      return undefined;
    }
  }

  if (offset !== budgetsOffset) return undefined;
  if (view.getBigUint64(layout.codeSizeSum, true) !== BigInt(codeSizeSum)) return undefined;
  return {
    codeSizeSumOffset: layout.codeSizeSum,
    importStatusesOffset: layout.importStatuses,
    recordsOffset,
    budgetsOffset,
    records,
  };
}

/**
 * Finds the instructions of each optimised function in native code.
 *
 * @param code native code as V8 wrote it
 * @param version `process.versions.v8` of the V8 that wrote it
 * @returns ranges in bytes from the start of `code`, in the order of function indices, or undefined if the layout is
 *   unknown
 */
export function findInstructions(
  code: Uint8Array,
  version: string,
  counts: FunctionCounts,
): FunctionRange[] | undefined {
  const records = parseNativeCode(code, version, counts)?.records;
  return records?.flatMap((record) => (record.kind === 'optimised' ? [record.instructions] : []));
}

interface ParsedRecord {
  size: number;
  codeSize: number;
  instructions: { offset: number; size: number };
}

/** @param limit offset of the end of all records */
function parseOptimised(
  view: DataView,
  offset: number,
  limit: number,
  { fields, jumpTableInfo, sizes }: Layout,
): ParsedRecord | undefined {
  const sizesAt = offset + 1 + fields * 4;
  const kindAt = sizesAt + sizes * 4;
  const codeAt = kindAt + KIND_AND_TIER_SIZE;
  if (codeAt > limit) return undefined;
  let size = codeAt - offset;
  for (let block = 0; block < sizes; block++) size += view.getUint32(sizesAt + block * 4, true);
  if (offset + size > limit) return undefined;
  if (view.getUint32(kindAt, true) !== WASM_FUNCTION || view.getUint8(kindAt + 4) !== TURBOFAN) {
    return undefined;
  }

  // Their order in the code is that of src/codegen/code-desc.h. An empty one has the offset of the next.
  const field = (number: number) => view.getUint32(offset + 1 + number * 4, true);
  const codeSize = view.getUint32(sizesAt, true);
  const constantPool = field(0);
  const safepointTable = field(1);
  const handlerTable = field(2);
  const codeComments = field(3);
  const jumpTableInfoAt = jumpTableInfo ? field(4) : codeComments;
  const unpaddedSize = field(jumpTableInfo ? 5 : 4);
  const ordered =
    0 < safepointTable &&
    safepointTable <= handlerTable &&
    handlerTable <= constantPool &&
    constantPool <= codeComments &&
    codeComments <= jumpTableInfoAt &&
    jumpTableInfoAt <= unpaddedSize &&
    unpaddedSize <= codeSize &&
    codeSize - unpaddedSize < LARGEST_CODE_ALIGNMENT;
  if (!ordered) return undefined;
  // Stack slots and, since 13.6, slots of out-of-line code are ints. The last field is two u16.
  for (let number = jumpTableInfo ? 6 : 5; number < fields - 1; number++) {
    if (field(number) > 0x7fff_ffff) return undefined;
  }
  const instructionsSize = safepointTable - jumpTablesSize(view, codeAt, safepointTable);
  if (instructionsSize === 0) return undefined;
  return { size, codeSize, instructions: { offset: codeAt, size: instructionsSize } };
}

/**
 * Returns the bytes of the jump tables after the last instruction. On x64, V8 places them there and writes their
 * addresses as offsets into the code (`WriteCode`, `INTERNAL_REFERENCE`): u64 values below the code's size. No
 * instruction stream ends with such values.
 */
function jumpTablesSize(view: DataView, start: number, size: number): number {
  let end = size;
  while (end >= 16) {
    const target = view.getBigUint64(start + end - 8, true);
    if (target === 0n || target >= BigInt(size)) break;
    end -= 8;
  }
  return size - end;
}
