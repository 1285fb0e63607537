/** Checks in fresh processes of a target whether V8 accepts native code and modules. */
import { withHeader } from './header.ts';
import { frame, HostFailure, runHost } from './host-process.ts';
import type { KnownTarget } from './target.ts';

/**
 * Returns whether a fresh process of the target accepts native code.
 *
 * @param timeLimit in milliseconds
 * @throws HostFailure if that process crashes
 */
export async function isAccepted(
  target: KnownTarget,
  wire: Uint8Array,
  native: Uint8Array,
  timeLimit: number,
): Promise<boolean> {
  // V8 compares the words for equality, so they must be those of this machine and not those of the CPU level.
  const { hostFeatures } = target.engine;
  const running = withHeader(native, { cpuFeatures: hostFeatures, flagHash: undefined });
  const input = frame({ wireSize: wire.length }, wire, running);
  return (await runHost(target, 'check', input, timeLimit)).json['accepted'] === true;
}

/** Returns whether a fresh process of the target accepts native code, and does not crash. */
export async function accepts(
  target: KnownTarget,
  wire: Uint8Array,
  native: Uint8Array,
  timeLimit: number,
): Promise<boolean> {
  try {
    return await isAccepted(target, wire, native, timeLimit);
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    return false;
  }
}

/** Returns why a target rejects one of the modules; undefined if all are valid. */
export async function whyInvalid(
  target: KnownTarget,
  modules: readonly Uint8Array[],
  timeLimit: number,
): Promise<string | undefined> {
  const input = frame({ sizes: modules.map(({ length }) => length) }, ...modules);
  try {
    const { invalid } = (await runHost(target, 'validate', input, timeLimit)).json;
    return typeof invalid === 'string' ? `${target.label}: ${invalid}` : undefined;
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    return error.message;
  }
}
