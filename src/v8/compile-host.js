// @ts-check
/**
 * Compiles modules in a process of the *target's* node, of any version. It is plain JavaScript without imports from the
 * rest of the project, since builds copy it beside artifacts as a single file. Standard input and output carry frames:
 * a u32 length, that many bytes of JSON, then raw bytes.
 *
 * Commands:
 *
 *  - `probe` responds with `{ node, v8, platform, arch, abi, trial, versionTag }`. `trial` is the native code of the
 *    smallest module in base64, if this process can make it. `versionTag` is V8's, with the flags of `trial`.
 *  - `compile` takes wire bytes, and responds with `{ milliseconds, flagHash }` and native code. `flagHash` is that of
 *    the process as it was started.
 *  - `check` takes `{ wireSize }`, wire bytes and native code, and responds with `{ accepted }`.
 *  - `validate` takes `{ sizes }` and the wire bytes of each module, and responds with `{ invalid }`: V8's message, if
 *    it rejects a module.
 *
 * The second argument is the path of the native addon, if there is one. The third is a file descriptor to use instead
 * of standard output. A failure other than a crash is a frame `{ error: { kind, message } }`.
 *
 * Serializes through V8's test natives up to V8 13, and through the native addon since. The flags that have V8 compile
 * all functions with its optimising compiler are on during the compilation only. They are part of the flag hash in the
 * header of native code, and that must be the hash of a process without flags.
 */
import { readFileSync, writeSync } from 'node:fs';
import v8, { setFlagsFromString } from 'node:v8';
import vm from 'node:vm';

const [, , command, addonFile, output = '1'] = process.argv;

/** Offset of the flag hash, a u32, in the headers of native code and of code caches. */
const FLAG_HASH_OFFSET = 12;

const v8Major = Number.parseInt(process.versions.v8, 10);

/** Read first: after resetting flags to their defaults, it differs if this process was started with other flags. */
const firstFlagHash = flagHash();

/** V8 removed `%SerializeWasmModule` and `%DeserializeWasmModule` in version 14. */
const hasNatives = v8Major < 14 && !process.versions['bun'] && !process.versions['deno'];

/** @type {import('../runtime/node/addon.ts').Addon | undefined} */
const addon = hasNatives || !addonFile ? undefined : loadAddon(addonFile);

/**
 * A module with one empty function, the same as in the runtime (compatibility.ts). V8 writes a header only for a
 * module with a function.
 */
const SMALLEST_MODULE = Buffer.from(
  '0061736d01000000' + // magic, version
    '010401600000' + // type section: () → ()
    '03020100' + // function section: one function of type 0
    '070501016600' + // export section: it is called f
    '00' +
    '0a040102000b', // code section: one empty body
  'hex',
);

/** Flags during compilation: [during compilation, default of this V8]. */
function compileFlags() {
  const flags = [
    ['--no-liftoff', '--liftoff'],
    ['--no-wasm-lazy-compilation', '--wasm-lazy-compilation'],
    ['--no-wasm-dynamic-tiering', '--wasm-dynamic-tiering'],
  ];
  // Inlining decisions need feedback, which ahead-of-time compilation lacks; see V8's `v8_flags.wasm_inlining`.
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
 * Compiles a function that calls a native. The syntax of natives is allowed during compilation only, not while the
 * function runs. The parentheses make V8 compile it at once.
 *
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
  if (!bytes) throw new Error('V8 returned no native code');
  const native = Buffer.from(bytes);
  const running = flagHash();
  const written = native.readUInt32LE(FLAG_HASH_OFFSET);
  if (written !== running) {
    throw new Error(
      `V8 wrote flag hash ${written.toString(16)} into the native code of a process whose flag hash is ${running.toString(16)}`,
    );
  }
  return native;
}

/** Returns the flag hash of this process, from the header of a code cache (V8: src/snapshot/code-serializer.h). */
function flagHash() {
  return new vm.Script('0').createCachedData().readUInt32LE(FLAG_HASH_OFFSET);
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
 * @returns {boolean} whether V8 accepted the native code
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
