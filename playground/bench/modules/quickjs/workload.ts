/** QuickJS (C, Emscripten), an interpreter: its generated code takes a module. */
import baseVariant from '@jitl/quickjs-wasmfile-release-sync';
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSSyncVariant,
} from 'quickjs-emscripten-core';
import type { Stopwatch } from '../../../app/src/startup.ts';

/** The package declares the types of its CommonJS build. */
const VARIANT = baseVariant as unknown as QuickJSSyncVariant;

const PROGRAM = `
const primes = [];
for (let n = 2; primes.length < 200; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
const text = primes.map((prime) => prime.toString(16).padStart(4, '0')).join(' ').replace(/0+(?=[1-9a-f])/g, '');
JSON.stringify({ text, sum: primes.reduce((sum, prime) => sum + prime, 0), date: new Date(0).toISOString() });
`;

/** Starts QuickJS and runs a program in it; returns its result. */
export async function start(stopwatch: Stopwatch): Promise<unknown> {
  // The package exports the file only as `./wasm`, and the plugin requires the extension .wasm.
  const { default: wasmModule } =
    await import('../../../../node_modules/@jitl/quickjs-wasmfile-release-sync/dist/emscripten-module.wasm?module');
  stopwatch.lap('load');
  const QuickJS = await newQuickJSWASMModuleFromVariant(newVariant(VARIANT, { wasmModule }));
  stopwatch.lap('instantiate');
  const result = QuickJS.evalCode(PROGRAM);
  stopwatch.lap('call');
  return result;
}
