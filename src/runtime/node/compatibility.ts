/**
 * Whether native code may be used in this process: V8's trap handler must be there (trap-handler.ts), and the process may
 * differ from the one that the code was made for in CPU features and V8 flags, where that is safe. V8 accepts only what
 * has its own two words in the header; so they are found here, to be put there:
 *
 *  - Every CPU feature that the code may use is there in the running process.
 *  - V8's flags are those that the code was made with, but for some on the command line that cannot change native code.
 *    This is not guessed: with these flags at their defaults, V8's flag hash must be that of the build.
 */
import type { Addon } from './addon.ts';
import type { CheckCompatibility } from './artifact.ts';
import { isMainThread, setFlags } from './builtin.ts';
import type { CpuRequirements } from '../shared/manifest.ts';
import {
  allowNatives,
  compileNative,
  deserialize,
  type Flags,
  flagsOf,
  getFlagHash,
  HAS_NATIVES,
  isRunningWith,
  settle,
} from './natives.ts';
import { trapHandlerMissing } from './trap-handler.ts';

/**
 * Flags of V8 that change neither native code of wasm nor what it relies on, with their defaults, which are the same in all
 * versions (`node --v8-options`; a test compares).
 */
const HARMLESS: Readonly<Record<string, number | false>> = {
  // Gives JavaScript a function that collects garbage.
  'expose-gc': false,
  // How much memory JavaScript's heap may take, and how it grows. Wasm memories and code are not on it.
  'max-old-space-size': 0,
  'max-semi-space-size': 0,
  'min-semi-space-size': 0,
  'semi-space-growth-factor': 2,
  'initial-old-space-size': 0,
  'initial-heap-size': 0,
  'max-heap-size': 0,
  // Native code compares the stack pointer with a limit that it reads from the isolate.
  'stack-size': 984,
  // How many frames an error describes.
  'stack-trace-limit': 10,
  // Whether JavaScript may make code of strings.
  'disallow-code-generation-from-strings': false,
  // What V8 does about an exception that nobody catches.
  'abort-on-uncaught-exception': false,
  // Prints what the garbage collector does.
  'trace-gc': false,
};

/** Take CPU features away, which are then missing in the running word. */
const CPU_FEATURE = /^no-enable-(s?sse[34][-12]*|sahf|avx[2-]?[a-z0-9-]*|fma3|bmi[12]|lzcnt|popcnt|f16c)$/;

/** Flags of V8 that Node allows in NODE_OPTIONS, for the words: they stand among Node's own there. */
const OF_V8 = /^--(perf-|interpreted-frames|jitless|single-threaded|enable-etw)/;

/** The smallest module, as in v8/compile-host.js: one empty function, exported as `f`. */
const SMALLEST = 'AGFzbQEAAAABBAFgAAADAgEABwUBAWYAAAoEAQIACw==';

let features: number | undefined;
/** The running flag hash and that of the build, once the difference is known to be harmless. */
let explained = '';
let attempts = 20;

export const checkCompatibility: CheckCompatibility = (segment, addon) => {
  const missing = trapHandlerMissing(addon);
  if (missing) return missing;
  const { cpu } = segment;
  let flags = flagsOf(segment);
  if (!isRunningWith(flags, addon)) {
    const hash = explain(flags.hash);
    const suspects = hash === undefined ? findSuspects() : [];
    // Nothing speaks for other flags but other threads that switch some just now: V8 compares when its turn has come.
    if (hash !== undefined) flags = { hash };
    else if (isMainThread() || suspects.length > 0) return describeFlags(suspects);
  }
  try {
    features ??= findFeatures(cpu, flags, addon);
  } catch (error) {
    return `V8 does not tell its CPU features (${error as Error})`;
  }
  const lacking = cpu.needs & ~features;
  if (lacking === 0) return [features, flags];
  const names = cpu.features.split(' ').filter((_, bit) => lacking & (1 << bit));
  const level = cpu.level === 'host' ? 'the CPU of the machine that built it' : cpu.level;
  return `it was made for ${level}, this CPU lacks ${names.join(', ') || 'some of its features'}`;
};

/** The running flag hash, where V8's flags are those of the build but for harmless ones of the command line. */
function explain(recorded: number): number | undefined {
  const differs = () => `${getFlagHash()} ${recorded}`;
  if (differs() === explained) return getFlagHash();
  const flags = commandLine().flatMap((flag) => {
    const normal = defaultOf(flag);
    return normal === undefined ? [] : [{ flag, normal }];
  });
  const isRecorded = () => {
    try {
      for (const { normal } of flags) setFlags(normal);
      return getFlagHash() === recorded || undefined;
    } finally {
      for (const { flag } of flags) setFlags(flag);
    }
  };
  // Once in vain, only once: then it is not other threads that switch flags.
  if (!settle(isRecorded, undefined, attempts)) {
    attempts = 1;
    return undefined;
  }
  // Without any it was another thread's doing that they differed.
  if (flags.length === 0) return recorded;
  explained = differs();
  return getFlagHash();
}

/** What sets a harmless flag to its default: `--stack-size=984` for `--stack_size=900`. */
function defaultOf(flag: string): string | undefined {
  const name = flag.split('=', 1)[0]?.slice(2).replaceAll('_', '-') ?? '';
  if (CPU_FEATURE.test(name)) return `--${name.slice(3)}`;
  const value = Object.hasOwn(HARMLESS, name) ? HARMLESS[name] : undefined;
  return value === false ? `--no-${name}` : value === undefined ? undefined : `--${name}=${value}`;
}

/** In workers the options may be the worker's own; those of the process are in the diagnostic report. */
export function commandLine(): string[] {
  const { execArgv, env, report } = process;
  if (isMainThread()) return [...execArgv, ...split(env['NODE_OPTIONS'])];
  const { header, environmentVariables } = report.getReport() as unknown as {
    header: { commandLine: string[] };
    environmentVariables: NodeJS.ProcessEnv;
  };
  return [...header.commandLine, ...split(environmentVariables['NODE_OPTIONS'])];
}

function split(options = ''): string[] {
  return options.split(/\s+/);
}

/** Flags of the command line that may be V8's and are not known to be harmless. */
function findSuspects(): string[] {
  return commandLine().filter(
    (flag) =>
      /^--[a-z]/.test(flag) &&
      defaultOf(flag) === undefined &&
      (OF_V8.test(flag) || !process.allowedNodeEnvironmentFlags.has(flag.split('=', 1)[0] ?? '')),
  );
}

function describeFlags(suspects: readonly string[]): string {
  return suspects.length > 0
    ? `V8 flag ${suspects.join(' ')} may change generated code`
    : 'V8 runs with other flags than the command line says (v8.setFlagsFromString?)';
}

/**
 * The word of CPU features of the running V8. Where it is that of the machine that built, as it often is, V8 accepts the
 * smallest module that was compiled there: 0.3 ms. Else V8 compiles it anew and tells: 1 ms. Once in a process.
 */
function findFeatures(cpu: CpuRequirements, flags: Flags, addon: Addon | undefined): number {
  const known = addon?.cpuFeatures();
  if (known) return known;
  const wire = bytesOf(SMALLEST);
  const trial = bytesOf(cpu.trial);
  const words = new Uint32Array(trial, 8, 2);
  const [home = 0] = words;
  words[1] = flags.hash;
  // Other threads may be switching flags.
  const { refused } = deserialize(trial, wire, flags, addon, {}, () => (isMainThread() ? 1 : 5));
  const found = refused === undefined ? home : learn(wire, addon);
  addon?.cpuFeatures(found);
  return found;
}

/** Has V8 write a header. */
function learn(wire: ArrayBuffer, addon: Addon | undefined): number {
  const module = new WebAssembly.Module(wire);
  const { f } = new WebAssembly.Instance(module).exports;
  const source = `f,m){%WasmTierUpFunction(f);${HAS_NATIVES ? 'return %SerializeWasmModule(m)' : ''}`;
  type Native = (exported: unknown, module: WebAssembly.Module) => ArrayBuffer | undefined;
  const tierUp = settle(() => allowNatives(() => compileNative<Native>(source)));
  const code = tierUp?.(f, module) ?? addon?.serialize(module);
  if (!code) throw new Error('it gave no native code');
  return new Uint32Array(code, 8, 1)[0] ?? 0;
}

function bytesOf(base64: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(base64, 'base64')).buffer;
}
