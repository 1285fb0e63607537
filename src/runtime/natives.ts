/** Hands native code to V8: through its test natives up to V8 13 (Node 24), through the native loader since. */
import { setFlagsFromString } from 'node:v8';
import { runInThisContext, Script } from 'node:vm';
import type { Addon, Contents } from './addon.ts';

/** V8 14 removed `%DeserializeWasmModule`. */
export const HAS_NATIVES = parseFloat(process.versions.v8) < 14;

/** How often to try, without the native loader, where another thread may be switching flags; once in vain, only once. */
let attempts = 20;

/** A module. Where native code was refused there may be one all the same, compiled by V8. */
export type Deserialized =
  | { refused?: undefined; module: WebAssembly.Module }
  | { refused: string; module?: WebAssembly.Module | undefined };

/**
 * V8 compares version, CPU features and flags; all else must have been checked before.
 *
 * @param code exactly the native code: V8 aborts when bytes follow it
 * @param flagHash the flag hash that the native code was made with
 * @param addon needed without natives
 * @param contents where the addon has `code` and `wire` from
 */
export function deserialize(
  code: ArrayBuffer,
  wire: ArrayBuffer,
  flagHash: number,
  addon: Addon | undefined,
  contents: Contents,
): Deserialized {
  let module;
  let refused = '';
  const check = () => {
    const same = getFlagHash() === flagHash;
    refused = same ? 'this CPU has other features' : 'V8 runs with other flags';
    return same;
  };
  try {
    if (addon) {
      const result = addon.deserialize(contents, code, wire, check, compileNative);
      module = result?.module;
      if (module && result?.accepted) return { module };
    } else {
      for (let attempt = 0; attempt < attempts; attempt++) {
        if (check() && (module = allowNatives()?.(code, new Uint8Array(wire)))) return { module };
        // V8 may have kept the hash of flags that another thread has changed back since: this makes it compute anew.
        setFlagsFromString('--no-testing-bool-flag');
        setFlagsFromString('--testing-bool-flag');
        // One millisecond, in which that thread comes to its end.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
      attempts = 1;
    }
  } catch (error) {
    refused = `it cannot be loaded (${error as Error})`;
  }
  return { refused, module };
}

type Native = (code: ArrayBuffer, wire: Uint8Array) => WebAssembly.Module | undefined;

let scripts = 0;

/**
 * A new function each time, compiled at once: V8 drops the bytecode of a function that was not used for long, and could
 * not compile it again, since the natives' syntax is allowed only here. The flag must be off again before V8 looks at
 * native code: it is part of the flag hash. A program that allows the syntax for itself has another flag hash, and
 * does not come here.
 */
function compileNative(): Native {
  return runInThisContext(`(function(c,w){return %DeserializeWasmModule(c,w)})//${scripts++}`) as Native;
}

/** What the native loader does better: undefined where another thread switched the flag off again just then. */
function allowNatives(): Native | undefined {
  setFlagsFromString('--allow-natives-syntax');
  try {
    return compileNative();
  } catch {
    return undefined;
  } finally {
    setFlagsFromString('--no-allow-natives-syntax');
  }
}

/** The running flag hash, at offset 12 of every code cache (V8: src/snapshot/code-serializer.h). */
export function getFlagHash(): number {
  return new Script('0').createCachedData().readUInt32LE(12);
}
