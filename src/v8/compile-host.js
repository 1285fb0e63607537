// @ts-check
/**
 * Runs in a process of the *target's* node, whatever its version, so it is plain JavaScript without imports
 * from the rest of the project. Standard input and output carry frames: a u32 length, that many bytes of JSON,
 * then raw bytes.
 *
 *   probe    →  { node, v8, platform, arch, abi, trial, versionTag }      trial: base64, native code of the smallest module, where that is
 *                                                                         possible; versionTag: V8's, when it had the flags of that
 *   compile  wire bytes  →  { milliseconds, flagHash } + native code       flagHash: that of the process as it was started
 *   check    { wireSize } + wire bytes + native code  →  { accepted }
 *   validate { sizes } + the wire bytes of each  →  { invalid }      V8's words, where it refuses one
 *
 * A third argument gives another file descriptor than that of standard output.
 *
 * A failure that is not a crash is a frame `{ error: { kind, message } }`.
 *
 * Works through V8's test natives up to V8 13, through the native loader (an argument gives its path) since. The flags that make V8 compile everything with its
 * optimising compiler are set for the compilation only: they are part of the flag hash in the native code's
 * header, which has to be that of a process without flags when the code is serialized.
 */
import { readFileSync, writeSync } from 'node:fs';
import v8, { setFlagsFromString } from 'node:v8';
import vm from 'node:vm';

const [, , command, addonFile, output = '1'] = process.argv;

const v8Major = Number.parseInt(process.versions.v8, 10);

/** Setting flags back to their defaults gives another one where this process was started with others. */
const firstFlagHash = flagHash();

/** V8 removed `%SerializeWasmModule` and `%DeserializeWasmModule` in version 14. */
const hasNatives = v8Major < 14 && !process.versions['bun'] && !process.versions['deno'];

/** @type {import('../runtime/node/addon.ts').Addon | undefined} */
const addon = hasNatives || !addonFile ? undefined : loadAddon(addonFile);

/** A module with one empty function, the same as in the runtime (fit.ts): enough for V8 to write a header. */
const SMALLEST_MODULE = Buffer.from(
  '0061736d01000000' + // magic, version
    '010401600000' + // type section: () → ()
    '03020100' + // function section: one function of type 0
    '070501016600' + // export section: it is called f
    '00' +
    '0a040102000b', // code section: one empty body
  'hex',
);

/** Flags that differ from their default while compiling: [while compiling, default of this V8]. */
function compileFlags() {
  const flags = [
    ['--no-liftoff', '--liftoff'],
    ['--no-wasm-lazy-compilation', '--wasm-lazy-compilation'],
    ['--no-wasm-dynamic-tiering', '--wasm-dynamic-tiering'],
  ];
  // Inlining decisions need feedback that ahead-of-time compilation has not; see V8's `v8_flags.wasm_inlining`.
  if (v8Major >= 13) flags.push(['--no-wasm-inlining', '--wasm-inlining']);
  if (v8Major >= 14) {
    flags.push(['--no-wasm-inlining-call-indirect', '--wasm-inlining-call-indirect']);
    flags.push(['--no-wasm-deopt', '--wasm-deopt']);
  }
  return flags;
}

/** @param {Uint8Array} wire */
function compile(wire) {
  const flags = compileFlags();
  for (const [compiling] of flags) setFlagsFromString(String(compiling));
  try {
    return new WebAssembly.Module(/** @type {Uint8Array<ArrayBuffer>} */ (wire));
  } finally {
    for (const [, normal] of flags) setFlagsFromString(String(normal));
  }
}

/**
 * A function that calls a native. The syntax is allowed while the function is compiled (the parentheses make
 * V8 compile it at once), not while it runs.
 * @param {string} source
 */
function withNatives(source) {
  setFlagsFromString('--allow-natives-syntax');
  try {
    return vm.runInThisContext(`(${source})`);
  } finally {
    setFlagsFromString('--no-allow-natives-syntax');
  }
}

/** @param {WebAssembly.Module} module */
function serialize(module) {
  const bytes = addon
    ? addon.serialize(module)
    : withNatives('function (m) { return %SerializeWasmModule(m) }')(module);
  if (!bytes) throw new Error('V8 gave no native code');
  const native = Buffer.from(bytes);
  const running = flagHash();
  const written = native.readUInt32LE(12);
  if (written !== running) {
    throw new Error(
      `V8 wrote flag hash ${written.toString(16)} into the native code of a process whose flag hash is ${running.toString(16)}`,
    );
  }
  return native;
}

/** The flag hash of this process: V8 writes it at offset 12 of a code cache, too (src/snapshot/code-serializer.h). */
function flagHash() {
  return new vm.Script('0').createCachedData().readUInt32LE(12);
}

/**
 * @param {object} json
 * @param {Uint8Array} [bytes]
 */
function respond(json, bytes) {
  const text = Buffer.from(JSON.stringify(json));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const answer = Buffer.concat([length, text, ...(bytes ? [bytes] : [])]);
  if (output === '1') process.stdout.write(answer);
  else for (let at = 0; at < answer.length;) at += writeSync(Number(output), answer, at);
}

function probe() {
  const { node, v8: version, modules: abi } = process.versions;
  const trial = hasNatives || addon ? serialize(compile(SMALLEST_MODULE)).toString('base64') : undefined;
  const versionTag = v8.cachedDataVersionTag();
  respond({ node, v8: version, platform: process.platform, arch: process.arch, abi, trial, versionTag });
}

function compileInput() {
  const wire = readFileSync(0);
  const start = performance.now();
  let module;
  try {
    module = compile(wire);
  } catch (error) {
    return respond({ error: { kind: 'unsupported', message: String(error) } });
  }
  const native = serialize(module);
  respond({ milliseconds: performance.now() - start, flagHash: firstFlagHash }, native);
}

function check() {
  const input = readFileSync(0);
  const jsonEnd = 4 + input.readUInt32LE(0);
  const { wireSize } = JSON.parse(input.toString('utf8', 4, jsonEnd));
  const wire = input.subarray(jsonEnd, jsonEnd + wireSize);
  const native = new Uint8Array(input.subarray(jsonEnd + wireSize)).buffer;
  respond({ accepted: deserialize(native, new Uint8Array(wire).buffer) });
}

function validate() {
  const input = readFileSync(0);
  let end = 4 + input.readUInt32LE(0);
  /** @type {{ sizes: number[] }} */
  const { sizes } = JSON.parse(input.toString('utf8', 4, end));
  for (const size of sizes) {
    const wire = new Uint8Array(input.subarray(end, (end += size)));
    if (WebAssembly.validate(wire)) continue;
    try {
      void new WebAssembly.Module(wire);
    } catch (error) {
      return respond({ invalid: String(error) });
    }
  }
  respond({});
}

/**
 * @param {ArrayBuffer} native
 * @param {ArrayBuffer} wire
 * @returns {boolean} whether V8 took the native code
 */
function deserialize(native, wire) {
  if (addon) return addon.deserialize({}, native, wire)?.accepted === true;
  const call = withNatives('function (c, w) { return %DeserializeWasmModule(c, w) }');
  return call(native, new Uint8Array(wire)) instanceof WebAssembly.Module;
}

/** @param {string} file */
function loadAddon(file) {
  const module = { exports: {} };
  process.dlopen(module, file);
  return /** @type {import('../runtime/node/addon.ts').Addon} */ (module.exports);
}

const commands = { probe, compile: compileInput, check, validate };
if (command === 'probe' || command === 'compile' || command === 'check' || command === 'validate') {
  try {
    commands[command]();
  } catch (error) {
    respond({ error: { kind: 'failed', message: String(error) } });
  }
} else {
  throw new Error(`compile-host: expected probe, compile, check or validate, found ${command}`);
}
