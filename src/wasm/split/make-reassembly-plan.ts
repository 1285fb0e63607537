import { encodePlan } from '../../runtime/shared/reassembly-plan.ts';
import type { Copy } from './module-writer.ts';

/**
 * Makes the plan that reassembles a module from pieces that were copied from it. Bytes that no piece has are in
 * the plan itself: its literals.
 *
 * @param wire the module
 * @param copies by piece, what it has copied from the module
 */
export function makeReassemblyPlan(wire: Uint8Array, copies: readonly (readonly Copy[])[]): Uint8Array {
  /** The plan's own number in its steps: it follows the numbers of the pieces. */
  const literals = copies.length;
  const sorted = copies
    .flatMap((each, piece) => each.map((copy) => ({ ...copy, part: piece })))
    .toSorted((a, b) => a.from - b.from);
  const steps: { part: number; offset: number; size: number }[] = [];
  const kept: Uint8Array[] = [];
  let at = 0;
  let literalSize = 0;
  const keep = (end: number) => {
    if (end <= at) return;
    steps.push({ part: literals, offset: literalSize, size: end - at });
    kept.push(wire.subarray(at, end));
    literalSize += end - at;
    at = end;
  };
  for (const { part, from, to, size } of sorted) {
    const end = from + size;
    // Several pieces have copies of the same types and imports.
    if (end <= at) continue;
    keep(from);
    const skipped = at - from;
    steps.push({ part, offset: to + skipped, size: size - skipped });
    at = end;
  }
  keep(wire.length);
  return encodePlan(steps, kept);
}

/**
 * Finds the bytes that two modules have in common, if both have copied them from the same original module.
 *
 * @param first copies from the original in the module to reassemble
 * @param second copies from the original in a piece of it
 * @returns copies from the module to reassemble in the piece
 */
export function composeCopies(first: readonly Copy[], second: readonly Copy[]): Copy[] {
  const sorted = second.toSorted((a, b) => a.from - b.from);
  const composed: Copy[] = [];
  let next = 0;
  for (const { from, to, size } of first.toSorted((a, b) => a.from - b.from)) {
    const end = from + size;
    while (next < sorted.length && endOf(sorted[next]) <= from) next++;
    for (let i = next; i < sorted.length; i++) {
      const other = sorted[i];
      if (!other || other.from >= end) break;
      const start = Math.max(from, other.from);
      const stop = Math.min(end, endOf(other));
      composed.push({ from: to + start - from, to: other.to + start - other.from, size: stop - start });
    }
  }
  return composed;
}

function endOf(copy: Copy | undefined): number {
  return copy ? copy.from + copy.size : 0;
}
