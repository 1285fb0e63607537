/**
 * Native code put together anew from function records (see layout.ts): with the code of some functions left out, or with
 * that of another serialization of the same module. V8 compiles a function whose record became lazy when it is called
 * first, as usual.
 */
import {
  EAGER_BYTE,
  type FunctionCounts,
  type FunctionRecord,
  LAZY_BYTE,
  type NativeLayout,
  parseNativeCode,
} from './layout.ts';

/** Bytes of the header that V8 compares: magic, version hash, CPU features, flag hash. */
const COMPARED_HEADER_SIZE = 16;

/** Where the header has the word of CPU features, and the flag hash (u32 each). */
export const CPU_FEATURES_OFFSET = 8;
export const FLAG_HASH_OFFSET = 12;

/** A copy of native code with other words in its header; what is undefined stays. */
export function withHeader(
  code: Uint8Array,
  { cpuFeatures, flagHash }: { cpuFeatures: number; flagHash: number | undefined },
): Uint8Array {
  // Not `slice`: that of a Buffer is no copy.
  const copy = new Uint8Array(code);
  // Then V8 refuses it.
  if (copy.length < COMPARED_HEADER_SIZE) return copy;
  const view = new DataView(copy.buffer);
  view.setUint32(CPU_FEATURES_OFFSET, cpuFeatures, true);
  if (flagHash !== undefined) view.setUint32(FLAG_HASH_OFFSET, flagHash, true);
  return copy;
}

const LAZY = Uint8Array.of(LAZY_BYTE);
const EAGER = Uint8Array.of(EAGER_BYTE);

/** What becomes of a function: its record in one or the other native code, or none. */
export type RecordChoice = 'base' | 'other' | 'lazy' | 'eager';

/**
 * Leaves the code of functions out of native code. With all of them kept, the result is equal to the input.
 *
 * @param code native code as V8 wrote it
 * @param version `process.versions.v8` of the V8 that wrote it
 * @param keep in the function index space of the module; others become lazy. Indices of other functions than the
 *   declared ones mean nothing
 * @returns a copy, or undefined where the layout is unknown
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
 * Puts native code together from two serializations of one module by one V8. Header and imports' bytes are those of
 * `other`, so `base` must be native code that relies on no imports: made ahead of time, before any instance. The tiering
 * budgets are those of `base`.
 *
 * @param version `process.versions.v8` of the V8 that wrote both
 * @param choose what becomes of the function with an index
 * @returns undefined where the layout is unknown, where the two were not made with the same V8, CPU features and
 *   flags, or where `base` relies on imports
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

/** @param layout of `budgets`; that of `header` is the same until its records */
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
