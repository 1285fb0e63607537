/**
 * Checks whether native code may be used in this process. V8's trap handler must be there (trap-handler.ts). CPU
 * features and V8 flags may differ from those of the process that the code was made for, if that is safe. V8 accepts
 * only native code with V8's own two words in the header. So this check determines these words, and the caller writes
 * them into the header:
 *
 *  - The running process has every CPU feature that the code may use.
 *  - V8's flags are those that the code was made with, except for flags on the command line that cannot change native
 *    code. The check computes this: with these flags at their defaults, V8's flag hash must be that of the build.
 */
import type { Addon } from './addon.ts';
import type { CheckCompatibility } from './artifact.ts';
import { isMainThread, setFlags } from './builtin.ts';
import type { CpuRequirements } from '../shared/manifest.ts';
import {
  deserialize,
  type Flags,
  flagsOfTarget,
  HAS_NATIVES,
  isRunningWith,
  retryWhileFlagsChange,
  tryNatives,
} from './natives.ts';
import { compileNative, getFlagHash } from './natives-syntax.ts';
import { trapHandlerMissing } from './trap-handler.ts';
import { viewProcessWords } from '../shared/v8-header.ts';

/**
 * Flags of V8 that change neither native code of wasm nor anything that it relies on, with their defaults. The
 * defaults are the same in all versions (`node --v8-options`; a test compares them).
 */
const HARMLESS: Readonly<Record<string, number | false>> = {
  // Adds a function for JavaScript that collects garbage.
  'expose-gc': false,
  // Size and growth of JavaScript's heap, which contains neither wasm memories nor code.
  'max-old-space-size': 0,
  'max-semi-space-size': 0,
  'min-semi-space-size': 0,
  'semi-space-growth-factor': 2,
  'initial-old-space-size': 0,
  'initial-heap-size': 0,
  'max-heap-size': 0,
  // Native code reads the limit for the stack pointer from the isolate.
  'stack-size': 984,
  // Number of frames that an error describes.
  'stack-trace-limit': 10,
  // Whether JavaScript may compile strings.
  'disallow-code-generation-from-strings': false,
  // Whether V8 aborts on an uncaught exception.
  'abort-on-uncaught-exception': false,
  // Prints a line for each garbage collection.
  'trace-gc': false,
};

/** Flags that disable CPU features, which are then missing in the running V8's word of CPU features. */
const CPU_FEATURE = /^no-enable-(s?sse[34][-12]*|sahf|avx[2-]?[a-z0-9-]*|fma3|bmi[12]|lzcnt|popcnt|f16c)$/;

/**
 * Flags of V8 that Node allows in NODE_OPTIONS, and lists among its own flags in
 * `process.allowedNodeEnvironmentFlags`.
 */
const V8_FLAG_IN_NODE_OPTIONS = /^--(perf-|interpreted-frames|jitless|single-threaded|enable-etw)/;

/** The smallest module, as in v8/compile-host.js: one empty function, exported as `f`. */
const SMALLEST = 'AGFzbQEAAAABBAFgAAADAgEABwUBAWYAAAoEAQIACw==';

let features: number | undefined;
/** The running flag hash and that of the build, after their difference has been found to be harmless. */
let harmlessDifference = '';
let attempts = 20;

export const checkCompatibility: CheckCompatibility = (segment, addon, handlesSegv) => {
  const missing = trapHandlerMissing(addon, handlesSegv);
  if (missing) return missing;
  const { cpu } = segment;
  let flags = flagsOfTarget(segment);
  if (!isRunningWith(flags, addon)) {
    const hash = explainDifference(flags.hash);
    const suspects = hash === undefined ? findSuspects() : [];
    // In a worker without suspicious flags, other threads may be switching flags at this moment. Then V8 decides later.
    if (hash !== undefined) flags = { hash };
    else if (isMainThread() || suspects.length > 0) return describeFlags(suspects);
  }
  try {
    features ??= findFeatures(cpu, flags, addon);
  } catch (error) {
    return `the CPU features that V8 uses cannot be determined (${error as Error})`;
  }
  const lacking = cpu.needs & ~features;
  if (lacking === 0) return [features, flags];
  const names = cpu.features.split(' ').filter((_, bit) => lacking & (1 << bit));
  const level = cpu.level === 'host' ? 'the CPU of the machine that built it' : cpu.level;
  return `it was made for ${level}, this CPU lacks ${names.join(', ') || 'some of its features'}`;
};

/**
 * Returns the running flag hash if V8's flags differ from those of the build only by harmless flags on the command
 * line.
 */
function explainDifference(recorded: number): number | undefined {
  const describeDifference = () => `${getFlagHash()} ${recorded}`;
  if (describeDifference() === harmlessDifference) return getFlagHash();
  const flags = commandLine().flatMap((flag) => {
    const reset = flagWithDefault(flag);
    return reset === undefined ? [] : [{ flag, reset }];
  });
  const isRecorded = () => {
    try {
      for (const { reset } of flags) setFlags(reset);
      return getFlagHash() === recorded || undefined;
    } finally {
      for (const { flag } of flags) setFlags(flag);
    }
  };
  // After one failure, later calls try once: the cause is not other threads that switch flags.
  if (!retryWhileFlagsChange(isRecorded, undefined, attempts)) {
    attempts = 1;
    return undefined;
  }
  // Without such flags, another thread had changed the flag hash temporarily.
  if (flags.length === 0) return recorded;
  harmlessDifference = describeDifference();
  return getFlagHash();
}

/** Returns the flag that sets a harmless flag to its default: `--stack-size=984` for `--stack_size=900`. */
function flagWithDefault(flag: string): string | undefined {
  const name = flag.split('=', 1)[0]?.slice(2).replaceAll('_', '-') ?? '';
  if (CPU_FEATURE.test(name)) return `--${name.slice(3)}`;
  const value = Object.hasOwn(HARMLESS, name) ? HARMLESS[name] : undefined;
  return value === false ? `--no-${name}` : value === undefined ? undefined : `--${name}=${value}`;
}

/** Returns the flags of the process. A worker's `execArgv` may be its own, so workers read the diagnostic report. */
export function commandLine(): string[] {
  const { execArgv, env, report } = process;
  if (isMainThread()) return [...execArgv, ...splitOptions(env['NODE_OPTIONS'])];
  const { header, environmentVariables } = report.getReport() as unknown as {
    header: { commandLine: string[] };
    environmentVariables: NodeJS.ProcessEnv;
  };
  return [...header.commandLine, ...splitOptions(environmentVariables['NODE_OPTIONS'])];
}

function splitOptions(options = ''): string[] {
  return options.split(/\s+/);
}

/** Returns the flags of the command line that may be V8's and are not known to be harmless. */
function findSuspects(): string[] {
  return commandLine().filter(
    (flag) =>
      /^--[a-z]/.test(flag) &&
      flagWithDefault(flag) === undefined &&
      (V8_FLAG_IN_NODE_OPTIONS.test(flag) ||
        !process.allowedNodeEnvironmentFlags.has(flag.split('=', 1)[0] ?? '')),
  );
}

function describeFlags(suspects: readonly string[]): string {
  return suspects.length > 0
    ? `V8 flag ${suspects.join(' ')} may change generated code`
    : 'V8 runs with other flags than the command line says (v8.setFlagsFromString?)';
}

/**
 * Returns the word of CPU features of the running V8. If it is that of the build machine, which is often so, V8
 * accepts the smallest module that was compiled there (0.3 ms). Otherwise V8 compiles the module again, and its
 * header contains the word (1 ms). The result is kept for all threads of the process.
 */
function findFeatures(cpu: CpuRequirements, flags: Flags, addon: Addon | undefined): number {
  const known = addon?.cpuFeatures();
  if (known) return known;
  const wire = bytesOf(SMALLEST);
  const trial = bytesOf(cpu.trial);
  const words = viewProcessWords(trial);
  const [buildFeatures = 0] = words;
  words[1] = flags.hash;
  // In a worker, other threads may be switching flags.
  const { rejection } = deserialize(trial, wire, flags, addon, {}, () => (isMainThread() ? 1 : 5));
  const found = rejection === undefined ? buildFeatures : compileAndReadFeatures(wire, addon);
  addon?.cpuFeatures(found);
  return found;
}

/** Lets V8 compile a module, and reads the word from the header of its native code. */
function compileAndReadFeatures(wire: ArrayBuffer, addon: Addon | undefined): number {
  const module = new WebAssembly.Module(wire);
  const { f } = new WebAssembly.Instance(module).exports;
  const source = `function(f,m){%WasmTierUpFunction(f);${HAS_NATIVES ? 'return %SerializeWasmModule(m)' : ''}}`;
  type Native = (exported: unknown, module: WebAssembly.Module) => ArrayBuffer | undefined;
  const tierUp = retryWhileFlagsChange(() => tryNatives(() => compileNative<Native>(source)));
  const code = tierUp?.(f, module) ?? addon?.serialize(module);
  if (!code) throw new Error('V8 returned no native code');
  return viewProcessWords(code)[0] ?? 0;
}

function bytesOf(base64: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(base64, 'base64')).buffer;
}
