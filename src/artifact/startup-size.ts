import type { SplitContents } from './contents.ts';

/** Returns how many bytes of wasm a program loads at startup if the module is split. */
export function startupSize({ primary, memory }: Pick<SplitContents, 'primary' | 'memory'>): number {
  return primary.length + (memory?.length ?? 0);
}
