/** Describes native code for an artifact. */
import type { NativeCode } from '../artifact/contents.ts';
import { formatEngineKey, shortVersion } from './engine-key.ts';
import { findInstructions, type FunctionCounts } from './layout.ts';
import type { KnownTarget } from './target.ts';

/** Adds to native code its engine key, its functions (none if the layout is unknown) and its statistics. */
export function describeNativeCode(
  { engine: { key, cpu }, release }: KnownTarget,
  bytes: Uint8Array,
  counts: FunctionCounts,
): NativeCode {
  const functions = findInstructions(bytes, key.version, counts) ?? [];
  return {
    engine: formatEngineKey(key),
    version: shortVersion(key),
    release,
    cpu,
    bytes,
    functions,
    statistics: {
      functions: counts.functions,
      compiled: functions.length,
      codeSize: functions.reduce((sum, range) => sum + range.size, 0),
    },
  };
}
