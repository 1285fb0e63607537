// @ts-check
/**
 * Runs a small module in an ordinary way and writes the native code of this process. Plain JavaScript, since it runs in
 * every version of Node.
 *
 *     node train.js <wasm file> <output file> <addon file or ''> <exports to call, as JSON: [name, arguments …][]>
 *         <exports to optimise without calling them, as JSON> <an export to call until V8 has optimised it, as JSON: …>
 *
 * Prints the results of the calls, traps as their messages.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { withNatives } from '../support/with-natives.js';

const [file = '', output = '', addonFile = '', ...lists] = process.argv.slice(2);
const [calls, requested, hot] = lists.map((list) => JSON.parse(list));

const addon = { exports: {} };
if (addonFile) process.dlopen(addon, addonFile);
const { serialize: embedderSerialize } =
  /** @type {Partial<import('../../src/runtime/node/addon.ts').Addon>} */ (addon.exports);
const hasNatives = Number.parseFloat(process.versions.v8) < 14;

const module = new WebAssembly.Module(readFileSync(file));
const { exports } = new WebAssembly.Instance(module, {
  env: { twice: (/** @type {number} */ value) => value * 2, wave: Math.sin },
});

const results = calls.map(call);
const tierUp = withNatives('function (f) { %WasmTierUpFunction(f) }');
const serializeByNative = hasNatives
  ? withNatives('function (m) { return %SerializeWasmModule(m) }')
  : undefined;
for (const name of requested) tierUp(exports[name]);

if (hot) {
  // The native code grows when V8 has optimised the function, on another thread.
  const before = serialize()?.byteLength ?? 0;
  for (;;) {
    call(hot);
    const after = serialize()?.byteLength ?? 0;
    if (after > before) break;
    await turn();
  }
}
const code = serialize();
if (!code) throw new Error('V8 returned no native code');
writeFileSync(output, new Uint8Array(code));
console.log(JSON.stringify(results));

/** @param {[string, ...number[]]} call */
function call([name, ...values]) {
  try {
    return /** @type {(...values: number[]) => unknown} */ (exports[name])(...values);
  } catch (error) {
    return String(error);
  }
}

/** @returns {ArrayBuffer | undefined} */
function serialize() {
  return serializeByNative ? serializeByNative(module) : embedderSerialize?.(module);
}
