import { encodeRecipe } from '../../runtime/join.ts';
import type { Copy } from './writer.ts';

/**
 * How to put a module together again from its parts (`joinParts`): what none of them has as it was is in the recipe itself.
 *
 * @param wire the module
 * @param copies by part, what was taken over from the module
 */
export function makeRecipe(wire: Uint8Array, copies: readonly (readonly Copy[])[]): Uint8Array {
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
  return encodeRecipe(steps, kept);
}
