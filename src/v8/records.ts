/**
 * Assembles native code from function records (see layout.ts): without the code of some functions, or with code from
 * another serialization of the same module. V8 compiles a function whose record became lazy at its first call, as
 * usual.
 */
import { COMPARED_HEADER_SIZE } from './header.ts';
import {
  EAGER_BYTE,
  type FunctionCounts,
  type FunctionRecord,
  LAZY_BYTE,
  type NativeLayout,
  parseNativeCode,
} from './layout.ts';

const LAZY = Uint8Array.of(LAZY_BYTE);
const EAGER = Uint8Array.of(EAGER_BYTE);

/** The record of a function: that of one or the other native code, or one without code. */
export type RecordChoice = 'base' | 'other' | 'lazy' | 'eager';

/**
 * Removes the code of functions from native code. If all are kept, the result equals the input.
 *
 * @param code native code as V8 wrote it
 * @param version `process.versions.v8` of the V8 that wrote it
 * @param keep indices in the function index space of the module; other functions become lazy. Indices of functions
 *   that the module does not declare are ignored
 * @returns a copy, or undefined if the layout is unknown
 */
export function trimNativeCode(
  code: Uint8Array,
  version: string,
  counts: FunctionCounts,
  keep: ReadonlySet<number>,
): Uint8Array | undefined {
  const layout = parseNativeCode(code, version, counts);
  if (!layout) return undefined;
  const chunks = layout.records.map((record) =>
    keep.has(record.index) ? chunkOf(code, record) : { bytes: LAZY, codeSize: 0 },
  );
  return assemble(code, code, layout, chunks);
}

/**
 * Mixes two serializations of one module by one V8. The header and the bytes of imports are those of `other`, so `base`
 * must rely on no imports: it was compiled ahead of time, before any instance. The tiering budgets are those of `base`.
 *
 * @param version `process.versions.v8` of the V8 that wrote both
 * @param choose returns which record to use for the function with an index
 * @returns undefined if the layout is unknown, if V8, CPU features or flags of the two differ, or if `base` relies on
 *   imports
 */
export function mixNativeCode(
  base: Uint8Array,
  other: Uint8Array,
  version: string,
  counts: FunctionCounts,
  choose: (index: number) => RecordChoice,
): Uint8Array | undefined {
  const baseLayout = parseNativeCode(base, version, counts);
  const otherLayout = parseNativeCode(other, version, counts);
  if (!baseLayout || !otherLayout) return undefined;
  for (let offset = 0; offset < COMPARED_HEADER_SIZE; offset++) {
    if (base[offset] !== other[offset]) return undefined;
  }
  const statuses = base.subarray(baseLayout.importStatusesOffset, baseLayout.recordsOffset);
  if (statuses.some((status) => status !== 0)) return undefined;

  const chunks: Chunk[] = [];
  for (const [i, record] of baseLayout.records.entries()) {
    const otherRecord = otherLayout.records[i];
    if (!otherRecord) return undefined;
    const choice = choose(record.index);
    if (choice === 'base') chunks.push(chunkOf(base, record));
    else if (choice === 'other') chunks.push(chunkOf(other, otherRecord));
    else chunks.push({ bytes: choice === 'lazy' ? LAZY : EAGER, codeSize: 0 });
  }
  return assemble(other, base, baseLayout, chunks);
}

interface Chunk {
  /** A record. */
  bytes: Uint8Array;
  codeSize: number;
}

function chunkOf(code: Uint8Array, record: FunctionRecord): Chunk {
  return {
    bytes: code.subarray(record.offset, record.offset + record.size),
    codeSize: record.kind === 'optimised' ? record.codeSize : 0,
  };
}

/**
 * @param header native code whose header is used
 * @param budgets native code whose tiering budgets are used
 * @param layout the layout of `budgets`; that of `header` is the same up to its records
 */
function assemble(
  header: Uint8Array,
  budgets: Uint8Array,
  layout: NativeLayout,
  chunks: readonly Chunk[],
): Uint8Array {
  const recordsSize = chunks.reduce((total, { bytes }) => total + bytes.length, 0);
  const codeSizeSum = chunks.reduce((total, { codeSize }) => total + codeSize, 0);
  const budgetsAt = layout.recordsOffset + recordsSize;
  const assembled = new Uint8Array(budgetsAt + budgets.length - layout.budgetsOffset);
  assembled.set(header.subarray(0, layout.recordsOffset));
  let end = layout.recordsOffset;
  for (const { bytes } of chunks) {
    assembled.set(bytes, end);
    end += bytes.length;
  }
  assembled.set(budgets.subarray(layout.budgetsOffset), end);
  new DataView(assembled.buffer).setBigUint64(layout.codeSizeSumOffset, BigInt(codeSizeSum), true);
  return assembled;
}
