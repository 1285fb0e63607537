/**
 * Compiles code that calls V8's test natives, such as `%SerializeWasmModule`, and reads V8's flag hash. The recorder is
 * bundled with this file, too.
 */
import { builtin, setFlags } from './builtin.ts';
import { FLAG_HASH_OFFSET } from '../shared/v8-header.ts';

const { runInThisContext, Script } = builtin('node:vm');

let scripts = 0;

/**
 * Compiles a new function at each call. V8 drops the bytecode of functions that are not used for long. It could not
 * compile them again, because the natives syntax is allowed only while {@link allowNativesSyntax} runs.
 *
 * @param source a function expression without inner functions: V8 would compile these lazily
 * @throws SyntaxError if the syntax is not allowed, or if this V8 has no such native
 */
export function compileNative<Function>(source: string): Function {
  return runInThisContext(`(${source})//${scripts++}`) as Function;
}

/**
 * Runs `compile` while the natives syntax is allowed. The flag must be off again before V8 checks native code,
 * because it is part of the flag hash.
 *
 * @param set `v8.setFlagsFromString`, if it was captured before user code could replace it
 */
export function allowNativesSyntax<Result>(compile: () => Result, set = setFlags): Result {
  set('--allow-natives-syntax');
  try {
    return compile();
  } finally {
    set('--no-allow-natives-syntax');
  }
}

/** Returns the flag hash of the running V8, from the header of code cache data. */
export function getFlagHash(): number {
  return new Script('0').createCachedData().readUInt32LE(FLAG_HASH_OFFSET);
}
