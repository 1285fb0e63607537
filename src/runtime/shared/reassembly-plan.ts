/**
 * The reassembly plan of a split module: how to put the original module together from its primary and secondary
 * modules.
 *
 * The format is little-endian: u32 count of steps; for each step u32 source, u32 offset, u32 size; then literals,
 * which are bytes that no source contains. A step copies bytes of a source. If its source number equals the number of
 * sources, it copies literals. The result is the original module, byte for byte. A memory image counts as a source:
 * {@link planSources}.
 */
import type { ArtifactManifest, SegmentEntry } from './manifest.ts';

/**
 * Returns the sources in the order of their numbers in a plan: the primary, the secondaries, the memory image if
 * there is one.
 */
export function planSources<Source>(modules: readonly Source[], memory: Source | undefined): Source[] {
  return memory === undefined ? [...modules] : [...modules, memory];
}

/** The segments of a plan and of its sources in an artifact. */
export type ReassemblySegments = readonly [plan: SegmentEntry, ...sources: SegmentEntry[]];

/** Returns what the full primary is reassembled from, if the artifact has a stubbed primary. */
export function fullPrimaryPlan({ wire, split }: ArtifactManifest): ReassemblySegments | undefined {
  const bodies = split?.secondaries.at(-1)?.wire;
  return split?.full && bodies && [split.full, wire, bodies];
}

const STEP_WORDS = 3;

/** Encodes unsigned 32-bit words, little-endian. */
export function encodeWords(words: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  for (const [index, word] of words.entries()) view.setUint32(index * 4, word, true);
  return new Uint8Array(view.buffer);
}

export function encodePlan(
  steps: readonly { part: number; offset: number; size: number }[],
  literals: readonly Uint8Array[],
): Uint8Array {
  const words = [steps.length, ...steps.flatMap(({ part, offset, size }) => [part, offset, size])];
  return concatenate([encodeWords(words), ...literals]);
}

/**
 * Returns the pieces of the result in order, as views of the sources and the plan.
 *
 * @throws RangeError if the plan is not for these sources
 */
export function followPlan(sources: readonly Uint8Array[], plan: Uint8Array): Uint8Array[] {
  const view = new DataView(plan.buffer, plan.byteOffset, plan.byteLength);
  const count = view.getUint32(0, true);
  const word = (step: number, index: number) => view.getUint32((1 + step * STEP_WORDS + index) * 4, true);
  const all = [...sources, plan.subarray((1 + count * STEP_WORDS) * 4)];
  return Array.from({ length: count }, (_, step) => {
    const offset = word(step, 1);
    const length = word(step, 2);
    const piece = all[word(step, 0)]?.subarray(offset, offset + length);
    if (piece?.length !== length)
      throw new RangeError('a source is shorter than the reassembly plan requires');
    return piece;
  });
}

/** @throws RangeError if the plan is not for these sources */
export function reassemble(sources: readonly Uint8Array[], plan: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatenate(followPlan(sources, plan));
}

function concatenate(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(chunks.reduce((size, { length }) => size + length, 0));
  let end = 0;
  for (const chunk of chunks) {
    result.set(chunk, end);
    end += chunk.length;
  }
  return result;
}
