// @ts-check
/**
 * Executes a workload in this process, with or without native code, and prints the outcome as JSON. It is
 * JavaScript, because it runs unbuilt in every Node version. Like the runtime, it maps files with the native
 * addon. Node 24 and older also work without the addon and read files.
 *
 *     node run-native.js '<Job as JSON>'
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { withNatives } from './with-natives.js';
import { GENERATED, WORKLOADS } from './workloads.js';

/**
 * @typedef {object} Job
 * @property {string} workload one of WORKLOADS or GENERATED
 * @property {string} wire file with the wire bytes
 * @property {string} [addon] file of the native addon
 * @property {string} [native] file with native code; without it, V8 compiles
 * @property {number} calls
 * @property {string} [serialize] file to write the process's native code to, at the end
 */

/**
 * @typedef {object} Outcome times in milliseconds
 * @property {number} load
 * @property {number} instantiate
 * @property {number} first
 * @property {number} total
 * @property {number} cpu processor time of all threads in `total`
 * @property {number} steady the lower quartile of the last 50 calls, which excludes disturbances
 * @property {string} digest SHA-256 of the first result
 * @property {boolean} same whether all results were equal
 * @property {number[]} tieredUp indices of functions that were optimised only to allow serialization
 */

/** The number of calls at the end that count as steady state. */
const STEADY_CALLS = 50;

/** Milliseconds for V8's threads to finish compilation. */
const COMPILE_TIME = 500;

const hasNatives = Number.parseFloat(process.versions.v8) < 14;

/** @type {Job} */
const job = JSON.parse(String(process.argv[2]));

const addon = job.addon === undefined ? undefined : loadAddon(job.addon);

/** @type {WebAssembly.Instance | undefined} */
let instance;
const { Instance, instantiate } = WebAssembly;
WebAssembly.Instance = new Proxy(Instance, {
  construct: (target, [module, imports]) => (instance = new target(module, imports)),
});
WebAssembly.instantiate = /** @type {typeof WebAssembly.instantiate} */ (
  async (/** @type {WebAssembly.Module} */ module, /** @type {WebAssembly.Imports} */ imports) =>
    (instance = await instantiate(module, imports))
);

const known = WORKLOADS[job.workload] ?? GENERATED[job.workload];
if (!known) throw new Error(`there is no workload "${job.workload}"`);
const workload = await known.prepare();
// Node loads its fetch implementation at the first access, and wasm-bindgen's generated code accesses it.
void globalThis.Response;
const deserialize = hasNatives && job.native !== undefined ? compileNatives() : undefined;
await sleep(20);

const cpuBefore = process.cpuUsage();
const start = performance.now();
const module = load();
const loaded = performance.now();
await workload.instantiate(module);
const instantiated = performance.now();
const result = await workload.call();
const called = performance.now();
const cpu = process.cpuUsage(cpuBefore);

const digest = digestOf(result);
let same = true;
const times = [];
for (let call = 1; call < job.calls; call++) {
  const before = performance.now();
  const again = await workload.call();
  times.push(performance.now() - before);
  // Only every 50th call: hashing takes longer than the call.
  if (call % 50 === 0 || call === job.calls - 1) same &&= digestOf(again) === digest;
}
const tieredUp = job.serialize === undefined ? [] : await serialize(job.serialize);
const steady =
  times.slice(-STEADY_CALLS).toSorted((one, other) => one - other)[Math.floor(STEADY_CALLS / 4)] ?? 0;
/** @type {Outcome} */
const outcome = {
  load: loaded - start,
  instantiate: instantiated - loaded,
  first: called - instantiated,
  total: called - start,
  cpu: (cpu.user + cpu.system) / 1000,
  steady,
  digest,
  same,
  tieredUp,
};
console.log(JSON.stringify(outcome));
// esbuild's Go program never ends.
process.exit();

function load() {
  const wire = map(job.wire);
  if (job.native === undefined) return new WebAssembly.Module(new Uint8Array(wire.buffer));
  const native = map(job.native);
  const deserialized = deserialize
    ? deserialize(native.buffer, new Uint8Array(wire.buffer))
    : accepted(addon?.deserialize({}, native.buffer, wire.buffer));
  if (!deserialized) throw new Error(`${job.native}: V8 does not accept it`);
  native.release();
  wire.release();
  return deserialized;
}

/** @param {string} file */
function map(file) {
  if (!addon) return { buffer: new Uint8Array(readFileSync(file)).buffer, release() {} };
  const contents = addon.map(file, [{ offset: 0, size: statSync(file).size }])();
  if (!contents) throw new Error(`${file} cannot be mapped`);
  const [buffer] = contents.segments;
  if (!buffer) throw new Error(`${file} cannot be read`);
  return { buffer, release: () => addon.release(contents) };
}

/** @param {string} file */
function loadAddon(file) {
  const binding = { exports: {} };
  process.dlopen(binding, file);
  return /** @type {import('../../src/runtime/node/addon.ts').Addon} */ (binding.exports);
}

/** @param {ReturnType<import('../../src/runtime/node/addon.ts').Addon['deserialize']>} [answer] */
function accepted(answer) {
  return answer?.accepted ? answer.module : undefined;
}

/** @returns {(code: ArrayBuffer, wire: Uint8Array) => WebAssembly.Module | undefined} */
function compileNatives() {
  return withNatives('function (c, w) { return %DeserializeWasmModule(c, w) }');
}

/**
 * @param {string} file
 * @returns {Promise<number[]>}
 */
async function serialize(file) {
  await sleep(COMPILE_TIME);
  // V8 serializes native code only if a function is optimised. Otherwise the natives would end the process.
  const exported = Object.values(instance?.exports ?? {}).filter((value) => typeof value === 'function');
  const isOptimised = withNatives('function (f) { return %IsTurboFanFunction(f) }');
  const [first] = exported.some(isOptimised) ? [] : exported;
  if (first) withNatives('function (f) { %WasmTierUpFunction(f) }')(first);
  const bytes = hasNatives
    ? withNatives('function (m) { return %SerializeWasmModule(m) }')(module)
    : addon?.serialize(module);
  if (!bytes) throw new Error('V8 gave no native code');
  writeFileSync(file, new Uint8Array(bytes));
  // The name of an exported function is its index.
  return first ? [Number(first.name)] : [];
}

/** @param {unknown} value */
function digestOf(value) {
  return createHash('sha256')
    .update(value instanceof Uint8Array ? value : JSON.stringify(value))
    .digest('hex');
}
