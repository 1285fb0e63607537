import type { SplitContents } from './contents.ts';

/** Bytes of wasm that a start of a split module loads. */
export function startupSize({ primary, memory }: Pick<SplitContents, 'primary' | 'memory'>): number {
  return primary.length + (memory?.length ?? 0);
}
