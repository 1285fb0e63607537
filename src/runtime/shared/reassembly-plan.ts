/**
 * The recipe for putting a split module together again: u32 count of steps; for each step u32 part, u32 offset, u32 size, all
 * little-endian; then bytes that no part has. A step takes bytes of a part, or of the latter where its part is the number of
 * parts. The result is the module as it was, byte for byte. A memory that lies beside the primary counts as a part: {@link piecesInOrder}.
 */
import type { ArtifactManifest, SegmentEntry } from './manifest.ts';

/** In the order that recipes count them in: the primary, the secondaries, the memory where it lies beside the primary. */
export function piecesInOrder<Part>(modules: readonly Part[], memory: Part | undefined): Part[] {
  return memory === undefined ? [...modules] : [...modules, memory];
}

/** Where a recipe is in an artifact, and what it is for. */
export type Reassembly = readonly [recipe: SegmentEntry, ...parts: SegmentEntry[]];

/** What gives the full primary, where that of an artifact is lean. */
export function fullOf({ wire, split }: ArtifactManifest): Reassembly | undefined {
  const bodies = split?.secondaries.at(-1)?.wire;
  return split?.full && bodies && [split.full, wire, bodies];
}

const STEP_WORDS = 3;

/** Unsigned, little-endian. */
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
  const chunks = [encodeWords(words), ...literals];
  const recipe = new Uint8Array(chunks.reduce((size, { length }) => size + length, 0));
  let end = 0;
  for (const chunk of chunks) {
    recipe.set(chunk, end);
    end += chunk.length;
  }
  return recipe;
}

/**
 * The pieces of the whole, in order: views of the parts and the recipe.
 *
 * @throws RangeError where the recipe is not that of the parts
 */
export function piecesOf(parts: readonly Uint8Array[], recipe: Uint8Array): Uint8Array[] {
  const view = new DataView(recipe.buffer, recipe.byteOffset, recipe.byteLength);
  const count = view.getUint32(0, true);
  const word = (step: number, index: number) => view.getUint32((1 + step * STEP_WORDS + index) * 4, true);
  const sources = [...parts, recipe.subarray((1 + count * STEP_WORDS) * 4)];
  return Array.from({ length: count }, (_, step) => {
    const offset = word(step, 1);
    const length = word(step, 2);
    const piece = sources[word(step, 0)]?.subarray(offset, offset + length);
    if (piece?.length !== length) throw new RangeError('a part is shorter than its recipe says');
    return piece;
  });
}

/** @throws RangeError where the recipe is not that of the parts */
export function reassemble(parts: readonly Uint8Array[], recipe: Uint8Array): Uint8Array<ArrayBuffer> {
  const pieces = piecesOf(parts, recipe);
  const joined = new Uint8Array(pieces.reduce((size, { length }) => size + length, 0));
  let end = 0;
  for (const piece of pieces) {
    joined.set(piece, end);
    end += piece.length;
  }
  return joined;
}
