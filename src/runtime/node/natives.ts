/** Hands native code to V8: through its test natives up to V8 13 (Node 24), through the native loader since. */
import type { Addon, Contents } from './addon.ts';
import { builtin, isMainThread, setFlags } from './builtin.ts';
import type { NativeEntry } from '../shared/manifest.ts';

const { runInThisContext, Script } = builtin('node:vm');

/** V8 14 removed `%DeserializeWasmModule`. */
export const HAS_NATIVES = parseFloat(process.versions.v8) < 14;

/** A module. Where native code was refused there may be one all the same, compiled by V8. */
export type Deserialized =
  | { refused?: undefined; module: WebAssembly.Module }
  | { refused: string; module?: WebAssembly.Module | undefined };

/** V8's flags, as far as they go into native code. */
export interface Flags {
  hash: number;
  /** V8's version tag (`Addon.versionTag`) where it runs with them. Up to V8 12 only with the CPU of the build, too. */
  tag?: number | undefined;
}

/** The words of a header that V8 compares with its own. */
export type HeaderWords = readonly [cpuFeatures: number, flags: Flags];

/**
 * V8 compares version, CPU features and flags; all else must have been checked before.
 *
 * @param code exactly the native code: V8 aborts when bytes follow it
 * @param flags whose hash the native code has in its header
 * @param addon needed without natives
 * @param contents where the addon has `code` and `wire` from
 * @param patience how often V8 may refuse while its flags seem right, until that is taken for its verdict
 */
export function deserialize(
  code: ArrayBuffer,
  wire: ArrayBuffer,
  flags: Flags,
  addon: Addon | undefined,
  contents: Contents | object,
  patience = () => 3,
): Deserialized {
  let refused = 'V8 runs with other flags';
  let refusals = 0;
  let other: WebAssembly.Module | undefined;
  const check = () => isRunningWith(flags, addon);
  const attempt = () => {
    if (!addon) return check() ? allowNatives(compileDeserializer)?.(code, new Uint8Array(wire)) : undefined;
    const result = addon.deserialize(contents, code, wire, check, compileDeserializer);
    other = result?.module;
    return result?.accepted ? other : undefined;
  };
  try {
    const module = settle(attempt, () => check() && ++refusals >= patience());
    if (module) return { module };
    if (refusals > 0) refused = 'V8 does not accept it';
  } catch (error) {
    refused = `it cannot be loaded (${error as Error})`;
  }
  return { refused, module: other };
}

/** Tries what another thread may thwart by switching flags just then, until there is a result or `final` says that there will be none. */
export function settle<Result>(
  attempt: () => Result | undefined,
  final = () => false,
  attempts = 20,
): Result | undefined {
  for (let count = 0; count < attempts; count++) {
    const result = attempt();
    if (result !== undefined || final()) return result;
    // V8 may have kept the hash of flags that another thread has changed back since: this makes it compute anew.
    setFlags('--no-testing-bool-flag');
    setFlags('--testing-bool-flag');
    // Meanwhile that thread comes to its end. Where there are workers, there may be many, and few processors for them.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, isMainThread() ? 1 : 10);
  }
  return undefined;
}

type Native = (code: ArrayBuffer, wire: Uint8Array) => WebAssembly.Module | undefined;

let scripts = 0;

/**
 * A new function each time, compiled at once: V8 drops the bytecode of a function that was not used for long, and could
 * not compile it again, since the natives' syntax is allowed only here. The flag must be off again before V8 looks at
 * native code: it is part of the flag hash. A program that allows the syntax for itself has another flag hash, and
 * does not come here.
 */
export function compileNative<Function>(source: string): Function {
  return runInThisContext(`(function(${source}})//${scripts++}`) as Function;
}

function compileDeserializer(): Native {
  return compileNative('c,w){return %DeserializeWasmModule(c,w)');
}

/** What the native loader does better: undefined where another thread switched the flag off again just then. */
export function allowNatives<Function>(compile: () => Function): Function | undefined {
  setFlags('--allow-natives-syntax');
  try {
    return compile();
  } catch {
    return undefined;
  } finally {
    setFlags('--no-allow-natives-syntax');
  }
}

/** Those of the build: the hash is the last part of an engine key. */
export function flagsOf({ engine, cpu }: NativeEntry): Flags {
  return { hash: Number(`0x${engine.slice(-8)}`), tag: cpu.versionTag };
}

/** The tag says so at once; the running flag hash takes a script, which is 0.3 ms the first time. */
export function isRunningWith({ hash, tag }: Flags, addon: Addon | undefined): boolean {
  return (tag !== undefined && addon?.versionTag() === tag) || getFlagHash() === hash;
}

/** The running flag hash, at offset 12 of every code cache (V8: src/snapshot/code-serializer.h). */
export function getFlagHash(): number {
  return new Script('0').createCachedData().readUInt32LE(12);
}
