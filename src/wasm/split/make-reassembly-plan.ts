import { encodePlan } from '../../runtime/shared/reassembly-plan.ts';
import type { Copy } from './writer.ts';

/**
 * How to put a module together again from its parts (`joinParts`): what none of them has as it was is in the recipe itself.
 *
 * @param wire the module
 * @param copies by part, what was taken over from the module
 */
export function makePlan(wire: Uint8Array, copies: readonly (readonly Copy[])[]): Uint8Array {
  const literals = copies.length;
  const sorted = copies
    .flatMap((each, part) => each.map((copy) => ({ ...copy, part })))
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
    // Several parts have the same types and imports.
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
 * What one text has in common with another, where both were written from a module.
 *
 * @param first copies from the module in what is to be made
 * @param second copies from the module in what it is to be made of
 * @returns copies from the former in the latter
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
