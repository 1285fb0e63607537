import type { Artifact, NativeCode } from './contents.ts';
import { unnamedFunction } from './native-symbols.ts';

/** Returns the functions with the most bytes of instructions, the largest first. */
export function largestFunctions(
  { functions }: Pick<NativeCode, 'functions'>,
  names: Artifact['functionNames'],
  count: number,
): { index: number; name: string; size: number }[] {
  return functions
    .toSorted((a, b) => b.size - a.size)
    .slice(0, count)
    .map(({ index, size }) => ({ index, name: names.get(index) ?? unnamedFunction(index), size }));
}
