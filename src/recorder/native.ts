/** What V8 tells of functions and modules through its test natives, and through the native loader since V8 14. */
import v8 from 'node:v8';
import vm from 'node:vm';
import type { Addon } from '../runtime/node/addon.ts';

// Programs may replace them.
const { setFlagsFromString } = v8;
const { runInThisContext, Script } = vm;

const V8_MAJOR = Number.parseInt(process.versions.v8, 10);

let scripts = 0;

/**
 * Calls natives. The source is compiled anew each time, since V8 drops the bytecode of functions that are not used and
 * could not compile it again: the syntax is allowed for this moment only.
 *
 * @param source a function without functions in it: V8 would compile them at their first call
 * @throws SyntaxError where this V8 has no such native, or with other parameters
 */
function native<Result>(source: string, ...args: unknown[]): Result {
  const compile = () => runInThisContext(`(${source})//${scripts++}`) as (...args: unknown[]) => Result;
  let call;
  try {
    // A program that allows it for itself keeps it.
    call = compile();
  } catch {
    setFlagsFromString('--allow-natives-syntax');
    try {
      call = compile();
    } finally {
      setFlagsFromString('--no-allow-natives-syntax');
    }
  }
  return call(...args);
}

/** How a function was compiled in this process. Lazy: not at all, so nobody has called it. */
export type Tier = 'lazy' | 'baseline' | 'optimised';

/** @param functions functions that an instance exports; their code belongs to the module */
export function tiersOf(functions: readonly unknown[]): Tier[] {
  const numbers = native<number[]>(
    'function(a,r){for(const f of a)r.push(%IsUncompiledWasmFunction(f)?0:%IsTurboFanFunction(f)?2:1);return r}',
    functions,
    [],
  );
  return numbers.map((number) => (['lazy', 'baseline', 'optimised'] as const)[number] ?? 'baseline');
}

/** Optimises a function at once. @returns whether it is now */
export function optimise(exported: unknown): boolean {
  native('function(f){%WasmTierUpFunction(f)}', exported);
  return tiersOf([exported])[0] === 'optimised';
}

/**
 * V8's native code of a module, of which at least one function must be optimised: V8 aborts the process otherwise.
 *
 * V8 writes down that a function has baseline code only where its tiering budget differs from the flag, and so not of
 * functions that were called and never returned (wasm-serialization.cc, `WriteCode`). With another flag it does.
 *
 * @throws Error that says why there is none
 */
export function serialize(module: WebAssembly.Module, addonFile: string | undefined): Uint8Array {
  hashAtEnd ??= flagHash();
  const call =
    V8_MAJOR < 14
      ? () => native<ArrayBuffer>('function(m){return %SerializeWasmModule(m)}', module)
      : withAddon(module, addonFile);
  // No function begins with this one. It stays: the process is about to end.
  setFlagsFromString('--wasm-tiering-budget=12345678');
  const code = call();
  if (!code) throw new Error('V8 gave no native code');
  return new Uint8Array(code);
}

function withAddon(module: WebAssembly.Module, file: string | undefined): () => ArrayBuffer | undefined {
  if (file === undefined) {
    throw new Error(
      `Node ${process.versions.node} needs the native loader, which is not there for it: \`wasm-precompile addon build\` makes it`,
    );
  }
  const loaded = { exports: {} };
  process.dlopen(loaded, file);
  const addon = loaded.exports as Addon;
  return () => addon.serialize(module);
}

/**
 * The flag hash of the process without what the recorder changes; undefined where the program has changed flags itself,
 * and nobody knows which of its code was made with which. V8 writes it at offset 12 of a code cache
 * (src/snapshot/code-serializer.h), as into native code.
 */
export function programFlagHash(): number | undefined {
  hashAtEnd ??= flagHash();
  return hashAtEnd === hashes?.recording ? hashes.program : undefined;
}

let hashes: { program: number; recording: number } | undefined;
/** Before `serialize` changes a flag. */
let hashAtEnd: number | undefined;

function flagHash(): number {
  return new Script('0').createCachedData().readUInt32LE(12);
}

/** Keeps V8 from what would hide that a function was executed. Code is the same with these flags as without. */
export function keepTraces(): void {
  const program = flagHash();
  setFlagsFromString('--wasm-lazy-compilation');
  // Since 13.6 baseline code is thrown away when memory gets tight.
  if (V8_MAJOR >= 13) setFlagsFromString('--no-flush-liftoff-code');
  hashes = { program, recording: flagHash() };
}
