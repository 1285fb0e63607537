/** Reads functions and modules of V8 through its test natives, and since V8 14 through the native addon. */
import v8 from 'node:v8';
import type { Addon } from '../runtime/node/addon.ts';
import { allowNativesSyntax, compileNative, getFlagHash } from '../runtime/node/natives-syntax.ts';

// Captured before the program can replace them.
const { setFlagsFromString } = v8;

const V8_MAJOR = Number.parseInt(process.versions.v8, 10);

/**
 * Calls natives.
 *
 * @param source a function that contains no other function, because V8 would compile that at its first call
 * @throws SyntaxError if this V8 does not have the native, or has it with other parameters
 */
function callNative<Result>(source: string, ...args: unknown[]): Result {
  const compile = () => compileNative<(...args: unknown[]) => Result>(source);
  let call;
  try {
    // Succeeds if the program itself allows natives syntax, which then stays allowed.
    call = compile();
  } catch {
    call = allowNativesSyntax(compile, setFlagsFromString);
  }
  return call(...args);
}

/** How a function was compiled in this process. Lazy: not compiled, so it has not been called. */
export type CompilationTier = 'lazy' | 'baseline' | 'optimised';

/** @param functions exported functions of an instance; their code belongs to the module */
export function tiersOf(functions: readonly unknown[]): CompilationTier[] {
  const numbers = callNative<number[]>(
    'function(a,r){for(const f of a)r.push(%IsUncompiledWasmFunction(f)?0:%IsTurboFanFunction(f)?2:1);return r}',
    functions,
    [],
  );
  return numbers.map((number) => (['lazy', 'baseline', 'optimised'] as const)[number] ?? 'baseline');
}

/** Optimises a function synchronously. @returns whether it is now optimised */
export function optimise(exported: unknown): boolean {
  callNative('function(f){%WasmTierUpFunction(f)}', exported);
  return tiersOf([exported])[0] === 'optimised';
}

/**
 * Returns V8's native code of a module. At least one of its functions must be optimised: otherwise V8 aborts
 * the process.
 *
 * V8 records that a function has baseline code only if its tiering budget differs from the flag. It therefore
 * misses functions that were called and never returned (wasm-serialization.cc, `WriteCode`), unless the flag
 * changes first.
 *
 * @throws Error with the reason if there is no native code
 */
export function serialize(module: WebAssembly.Module, addonFile: string | undefined): Uint8Array {
  hashAtEnd ??= getFlagHash();
  const call =
    V8_MAJOR < 14
      ? () => callNative<ArrayBuffer>('function(m){return %SerializeWasmModule(m)}', module)
      : withAddon(module, addonFile);
  // No function starts with this budget. The flag is not restored, because the process is about to end.
  setFlagsFromString('--wasm-tiering-budget=12345678');
  const code = call();
  if (!code) throw new Error('V8 returned no native code');
  return new Uint8Array(code);
}

function withAddon(module: WebAssembly.Module, file: string | undefined): () => ArrayBuffer | undefined {
  if (file === undefined) {
    throw new Error(
      `Node ${process.versions.node} needs the native addon, and none is built for it: run \`wasm-precompile addon build\``,
    );
  }
  const loaded = { exports: {} };
  process.dlopen(loaded, file);
  const addon = loaded.exports as Addon;
  return () => addon.serialize(module);
}

/**
 * Returns the flag hash of the process without the recorder's changes. Undefined if the program has changed
 * flags itself: then it is unknown which code was compiled with which flags. V8 writes the hash at offset 12 of
 * a code cache (src/snapshot/code-serializer.h), and of native code.
 */
export function programFlagHash(): number | undefined {
  hashAtEnd ??= getFlagHash();
  return hashAtEnd === hashes?.recording ? hashes.program : undefined;
}

let hashes: { program: number; recording: number } | undefined;
/** Computed before `serialize` changes a flag. */
let hashAtEnd: number | undefined;

/** Sets flags so that V8 keeps the traces of executed functions. The flags do not change the code itself. */
export function preserveExecutionTraces(): void {
  const program = getFlagHash();
  setFlagsFromString('--wasm-lazy-compilation');
  // V8 13.6 and later discard baseline code under memory pressure.
  if (V8_MAJOR >= 13) setFlagsFromString('--no-flush-liftoff-code');
  hashes = { program, recording: getFlagHash() };
}
