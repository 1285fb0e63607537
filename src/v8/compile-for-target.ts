/** Compiles a module for a target, in child processes. */
import type { NativeCode } from '../artifact/contents.ts';
import { isAccepted } from './accept.ts';
import { describeNativeCode } from './describe-native-code.ts';
import { withHeader } from './header.ts';
import { HostFailure, runHost } from './host-process.ts';
import type { FunctionCounts } from './layout.ts';
import type { KnownTarget } from './target.ts';

/** The native code of a module, or why there is none. */
export type CompileResult =
  | { kind: 'native'; native: NativeCode; milliseconds: number }
  | { kind: 'unsupported' | 'failed'; reason: string };

/**
 * Compiles a module in one process and loads the native code in a second, fresh one. Native code that V8 does not
 * accept there is not used.
 *
 * @param wire the module's wire bytes, exactly those that will be loaded later
 * @param timeLimit milliseconds for each of the two processes
 */
export async function compileFor(
  target: KnownTarget,
  wire: Uint8Array,
  counts: FunctionCounts,
  timeLimit: number,
): Promise<CompileResult> {
  const { key, levelFlags } = target.engine;
  try {
    const compiled = await runHost({ ...target, flags: levelFlags }, 'compile', wire, timeLimit);
    // The flags that keep V8 to a CPU level have changed its flag hash.
    const bytes = withHeader(compiled.bytes, key);
    if (!(await isAccepted(target, wire, bytes, timeLimit))) {
      return {
        kind: 'failed',
        reason: `a fresh process of ${target.label} does not accept its own native code`,
      };
    }
    const native = describeNativeCode(target, bytes, counts);
    return { kind: 'native', native, milliseconds: Number(compiled.json['milliseconds']) };
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    return { kind: error.kind, reason: error.message };
  }
}
