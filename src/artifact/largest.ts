import type { Artifact, NativeCode } from './contents.ts';
import { unnamedFunction } from './native-symbols.ts';

/** The functions with the most instructions, the largest first; sizes in bytes. */
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
