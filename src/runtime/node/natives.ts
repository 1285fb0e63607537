/** Passes native code to V8: by V8's test natives up to V8 13 (Node 24), by the native addon from V8 14 on. */
import type { Addon, Contents } from './addon.ts';
import { isMainThread, setFlags } from './builtin.ts';
import { allowNativesSyntax, compileNative, getFlagHash } from './natives-syntax.ts';
import type { NativeEntry } from '../shared/manifest.ts';

/** V8 14 removed `%DeserializeWasmModule`. */
export const HAS_NATIVES = parseFloat(process.versions.v8) < 14;

/** A module. After a rejection of the native code there may still be one, compiled by V8. */
export type Deserialized =
  | { rejection?: undefined; module: WebAssembly.Module }
  | { rejection: string; module?: WebAssembly.Module | undefined };

/** V8's flags, as far as native code depends on them. */
export interface Flags {
  hash: number;
  /** V8's version tag (`Addon.versionTag`) if V8 runs with these flags. Up to V8 12 it also depends on the CPU. */
  tag?: number | undefined;
}

/** What the header of native code must contain so that V8 accepts it in this process. */
export type RequiredHeader = readonly [cpuFeatures: number, flags: Flags];

/**
 * Deserializes native code. V8 compares version, CPU features and flags; the caller must have checked everything else.
 *
 * @param code exactly the native code: V8 aborts if bytes follow it
 * @param flags whose hash the header of the native code contains
 * @param addon required if {@link HAS_NATIVES} is false
 * @param contents the addon's contents that `code` and `wire` belong to
 * @param patience how many rejections with the right flags count as final
 */
export function deserialize(
  code: ArrayBuffer,
  wire: ArrayBuffer,
  flags: Flags,
  addon: Addon | undefined,
  contents: Contents | object,
  patience = () => 3,
): Deserialized {
  let rejection = 'V8 runs with other flags';
  let rejections = 0;
  let compiled: WebAssembly.Module | undefined;
  const check = () => isRunningWith(flags, addon);
  const attempt = () => {
    if (!addon) return check() ? tryNatives(compileDeserializer)?.(code, new Uint8Array(wire)) : undefined;
    const result = addon.deserialize(contents, code, wire, check, compileDeserializer);
    compiled = result?.module;
    return result?.accepted ? compiled : undefined;
  };
  try {
    const module = retryWhileFlagsChange(attempt, () => check() && ++rejections >= patience());
    if (module) return { module };
    if (rejections > 0) rejection = 'V8 does not accept it';
  } catch (error) {
    rejection = `it cannot be loaded (${error as Error})`;
  }
  return { rejection, module: compiled };
}

/**
 * Retries what fails if another thread changes V8's flags at the same time, until there is a result or `isFinal`
 * returns true.
 */
export function retryWhileFlagsChange<Result>(
  attempt: () => Result | undefined,
  isFinal = () => false,
  attempts = 20,
): Result | undefined {
  for (let count = 0; count < attempts; count++) {
    const result = attempt();
    if (result !== undefined || isFinal()) return result;
    // V8 may have cached the hash of flags that another thread has changed back since: this makes V8 compute it again.
    setFlags('--no-testing-bool-flag');
    setFlags('--testing-bool-flag');
    // Gives the other thread time to finish. If there is one worker, there may be many, and few processors for them.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, isMainThread() ? 1 : 10);
  }
  return undefined;
}

type Deserialize = (code: ArrayBuffer, wire: Uint8Array) => WebAssembly.Module | undefined;

function compileDeserializer(): Deserialize {
  return compileNative('function(c,w){return %DeserializeWasmModule(c,w)}');
}

/**
 * Compiles with the natives syntax. The native addon does the same under a lock.
 *
 * @returns undefined if another thread switched the flag off at the same time
 */
export function tryNatives<Function>(compile: () => Function): Function | undefined {
  try {
    return allowNativesSyntax(compile);
  } catch {
    return undefined;
  }
}

/** Returns the flags of the target; the hash is the last field of an engine key. */
export function flagsOfTarget({ engine, cpu }: NativeEntry): Flags {
  return { hash: parseInt(engine.slice(-8), 16), tag: cpu.versionTag };
}

/** The tag is compared first: computing the flag hash compiles a script, which takes 0.3 ms the first time. */
export function isRunningWith({ hash, tag }: Flags, addon: Addon | undefined): boolean {
  return (tag !== undefined && addon?.versionTag() === tag) || getFlagHash() === hash;
}
