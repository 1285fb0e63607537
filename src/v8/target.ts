/** A V8 to precompile for: what it is, and native code made and checked by it. */
import process from 'node:process';
import { execa } from 'execa';
import { WasmPrecompileError } from '../common/error.ts';
import { findInstructions, type FunctionCounts } from './layout.ts';
import { frame, type HostEngine, HostFailure, runHost } from './host-process.ts';
import { type EngineKey, formatEngineKey, shortVersion } from './engine-key.ts';
import { findAddon } from '../addon/files.ts';
import type { NativeCode } from '../artifact/contents.ts';
import type { CpuRequirements } from '../runtime/shared/manifest.ts';
import {
  type CpuLevel,
  defaultCpuLevel,
  featuresOf,
  flagsForLevel,
  isLevelOf,
  neededFeatures,
  unusedFeatures,
} from './cpu.ts';
import { CPU_FEATURES_OFFSET, FLAG_HASH_OFFSET, mixNativeCode, trimNativeCode, withHeader } from './trim.ts';

/** Milliseconds for asking a node what it is. */
const PROBE_TIME_LIMIT = 60_000;

/** An engine that was asked what it is. */
export interface Target extends HostEngine {
  /** For people: `node 22.23.3`. */
  release: string;
  /** The same with its V8: `node 22.23.3 (V8 12.4.254.21-node.57)`. */
  label: string;
  /** `process.arch` of the target. */
  arch: string;
  /** `<platform>-<arch>-<abi>`, as the runtime looks for its native loader. */
  addonKey: string;
  /** What native code is made for, or why it cannot be made for this engine. */
  engine: TargetEngine | { missing: string };
}

export interface TargetEngine {
  /** Of the native code: with the features that it may use, and the flag hash of a process without flags. */
  key: EngineKey;
  cpu: CpuRequirements;
  /** The word of features of the target itself, on this machine. */
  hostFeatures: number;
  /** Started with these, the target uses no features above the level. */
  levelFlags: string[];
}

export type KnownTarget = Target & { engine: TargetEngine };

/** A module's native code, or why there is none. */
export type CompileResult =
  | { kind: 'native'; native: NativeCode; milliseconds: number }
  | { kind: 'unsupported' | 'failed'; reason: string };

const targets = new Map<string, Promise<Target>>();

/**
 * Asks an engine what it is. The answer is remembered for the life of this process.
 *
 * @param target `host` or the path of a node executable
 * @param cpu the level that native code keeps to; undefined: the default of the target's architecture
 * @throws WasmPrecompileError `INVALID_OPTIONS` where it cannot be started, is no node, or has another architecture
 *   than the level
 */
export function probeTarget(target: string, cpu?: CpuLevel): Promise<Target> {
  const node = target === 'host' ? hostNode() : target;
  const id = `${cpu ?? ''} ${node}`;
  let probed = targets.get(id);
  if (!probed) {
    probed = probe(node, cpu);
    targets.set(id, probed);
    probed.catch(() => targets.delete(id));
  }
  return probed;
}

/** The node that runs the build; where Bun runs it, the one that a shell finds. */
function hostNode(): string {
  return process.versions['bun'] === undefined ? process.execPath : 'node';
}

async function probe(node: string, cpu: CpuLevel | undefined): Promise<Target> {
  let json;
  let addon;
  try {
    ({ json } = await runHost({ node }, 'probe', new Uint8Array(), PROBE_TIME_LIMIT));
    addon = findAddon({
      platform: String(json['platform']),
      arch: String(json['arch']),
      abi: String(json['abi']),
    });
    if (json['trial'] === undefined && addon !== undefined) {
      ({ json } = await runHost({ node, addon }, 'probe', new Uint8Array(), PROBE_TIME_LIMIT));
    }
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    await expectNode(node, error);
    return {
      node,
      release: node,
      label: node,
      arch: process.arch,
      addonKey: '',
      engine: {
        missing: `${node} cannot be precompiled for: ${error.message}. Modules are compiled at start-up there, as without the plugin.`,
      },
    };
  }
  const version = String(json['v8']);
  const release = `node ${String(json['node'])}`;
  const platform = String(json['platform']);
  const arch = String(json['arch']);
  const target = {
    node,
    addon,
    arch,
    release,
    label: `${release} (V8 ${version})`,
    addonKey: `${platform}-${arch}-${String(json['abi'])}`,
  };
  const { trial } = json;
  const versionTag = Number(json['versionTag']);
  if (typeof trial !== 'string') {
    const missing = `${target.label} gives native code only through the native loader, which is not there for it (\`wasm-precompile addon build\` makes it). Modules are compiled at start-up there, as without the plugin.`;
    return { ...target, engine: { missing } };
  }
  const level = cpu ?? defaultCpuLevel(arch);
  if (!isLevelOf(level, arch)) {
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `Option \`cpu\`: ${level} is no level of ${target.label}, whose architecture is ${arch}.`,
    );
  }
  const levelFlags = flagsForLevel(level, version);
  const limited = levelFlags.length === 0 ? trial : await probeLevel(target, levelFlags);
  const { flagHash, cpuFeatures: hostFeatures } = readHeader(trial);
  const { cpuFeatures } = readHeader(limited);
  const features = featuresOf(version, arch);
  return {
    ...target,
    engine: {
      key: { version, platform, arch, cpuFeatures, flagHash },
      cpu: { level, needs: neededFeatures(cpuFeatures, features), features, trial, versionTag },
      hostFeatures,
      levelFlags,
    },
  };
}

/** Native code of the smallest module for a CPU level, in base64. @throws HostFailure */
async function probeLevel(target: HostEngine, flags: string[]): Promise<string> {
  const { json } = await runHost({ ...target, flags }, 'probe', new Uint8Array(), PROBE_TIME_LIMIT);
  return String(json['trial']);
}

function readHeader(trial: string): { cpuFeatures: number; flagHash: number } {
  const header = Buffer.from(trial, 'base64');
  return {
    cpuFeatures: header.readUInt32LE(CPU_FEATURES_OFFSET),
    flagHash: header.readUInt32LE(FLAG_HASH_OFFSET),
  };
}

/** Tells a node that fails from a program that is none: `--version` works in both before anything else runs. */
async function expectNode(node: string, cause: HostFailure): Promise<void> {
  const { stdout } = await execa(node, ['--version'], {
    reject: false,
    timeout: PROBE_TIME_LIMIT,
    env: { NODE_OPTIONS: undefined },
  });
  if (/^v\d+\.\d+\.\d+/.test(stdout)) return;
  throw new WasmPrecompileError(
    'INVALID_OPTIONS',
    `Target ${node} does not answer like a node executable: ${cause.message}. ` +
      'A target is `host` or the path of a node executable.',
    { cause },
  );
}

/**
 * Makes native code for a module in a child process, and has a second, fresh child load it: what V8 does not
 * accept there is not used.
 *
 * @param wire the module's wire bytes, exactly those that will be loaded later
 * @param timeLimit milliseconds for each of the two
 */
export async function compileFor(
  target: KnownTarget,
  wire: Uint8Array,
  counts: FunctionCounts,
  timeLimit: number,
): Promise<CompileResult> {
  const { key, levelFlags } = target.engine;
  try {
    const compiled = await runHost({ ...target, flags: levelFlags }, 'compile', wire, timeLimit);
    // The flags that keep V8 to a level have changed its flag hash.
    const bytes = withHeader(compiled.bytes, key);
    if (!(await isAccepted(target, wire, bytes, timeLimit))) {
      return {
        kind: 'failed',
        reason: `a fresh process of ${target.label} does not accept its own native code`,
      };
    }
    const native = describeNativeCode(target, bytes, counts);
    return { kind: 'native', native, milliseconds: Number(compiled.json['milliseconds']) };
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    return { kind: error.kind, reason: error.message };
  }
}

/** What a startup profile leaves of native code. */
export interface Selection {
  /** Functions to keep, by index in the function index space; the others are compiled at their first call. */
  executed: ReadonlySet<number>;
  /** Native code of the same module as a training run of this very V8 left it; see {@link takesRun}. */
  run?: Run | undefined;
}

interface Run {
  bytes: Uint8Array;
  /** The functions whose code is taken from it. */
  optimised: ReadonlySet<number>;
}

/** The first V8 that inlines calls in wasm. */
const FIRST_INLINING = 13;

/**
 * Whether code that a run has optimised is better than code made ahead of time, and so taken instead: where V8 inlines
 * by what the run saw, since it would not optimise loaded code again. Older ones inline nothing, and what a run gives
 * there is no faster, at times slower (CONTRIBUTING, "What a profile keeps").
 */
export function takesRun({ version }: EngineKey, run: Run | undefined): run is Run {
  return run !== undefined && run.optimised.size > 0 && Number.parseInt(version, 10) >= FIRST_INLINING;
}

/** Makes native code smaller. What a fresh process of the target does not accept is not used. */
export async function trimFor(
  target: KnownTarget,
  wire: Uint8Array,
  native: Uint8Array,
  counts: FunctionCounts,
  { executed, run }: Selection,
  timeLimit: number,
): Promise<{ bytes: Uint8Array } | { reason: string }> {
  const { key } = target.engine;
  const { version } = key;
  const choose = (index: number) => {
    if (!executed.has(index)) return 'lazy';
    return run?.optimised.has(index) ? 'other' : 'base';
  };
  // A run under other flags, for instance, or on a CPU above the level gives nothing to mix with.
  const other = takesRun(key, run) ? toLevel(target, run.bytes, wire) : undefined;
  const mixed = other && mixNativeCode(native, other, version, counts, choose);
  const bytes = mixed ?? trimNativeCode(native, version, counts, executed);
  if (!bytes) return { reason: `the layout of native code of V8 ${version} is unknown` };
  try {
    if (await isAccepted(target, wire, bytes, timeLimit)) return { bytes };
    return { reason: `${target.label} does not accept it` };
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    return { reason: error.message };
  }
}

/** What a run left, under the level's header; undefined where it may use more than the level has. */
function toLevel({ engine }: KnownTarget, code: Uint8Array, wire: Uint8Array): Uint8Array | undefined {
  const { key, cpu } = engine;
  const word = Buffer.from(code.buffer, code.byteOffset, code.byteLength).readUInt32LE(CPU_FEATURES_OFFSET);
  const used = neededFeatures(word, cpu.features) & ~unusedFeatures(cpu.features, wire);
  return (used & ~cpu.needs) === 0 ? withHeader(code, { ...key, flagHash: undefined }) : undefined;
}

/** Why a target refuses one of some modules; undefined where all are valid for it. */
export async function whyInvalid(
  target: KnownTarget,
  modules: readonly Uint8Array[],
  timeLimit: number,
): Promise<string | undefined> {
  const input = frame({ sizes: modules.map(({ length }) => length) }, ...modules);
  try {
    const { invalid } = (await runHost(target, 'validate', input, timeLimit)).json;
    return typeof invalid === 'string' ? `${target.label}: ${invalid}` : undefined;
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    return error.message;
  }
}

/** Whether a fresh process of the target takes native code as it is. @throws HostFailure where it crashes */
async function isAccepted(
  target: KnownTarget,
  wire: Uint8Array,
  native: Uint8Array,
  timeLimit: number,
): Promise<boolean> {
  const { hostFeatures } = target.engine;
  const running = withHeader(native, { cpuFeatures: hostFeatures, flagHash: undefined });
  const input = frame({ wireSize: wire.length }, wire, running);
  return (await runHost(target, 'check', input, timeLimit)).json['accepted'] === true;
}

/** Whether a fresh process of the target takes native code that was made for another module. */
export async function accepts(
  target: KnownTarget,
  wire: Uint8Array,
  native: Uint8Array,
  timeLimit: number,
): Promise<boolean> {
  try {
    return await isAccepted(target, wire, native, timeLimit);
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    return false;
  }
}

/** What an artifact says of native code: its key, its functions where the layout is known, its statistics. */
export function describeNativeCode(
  { engine: { key, cpu }, release }: KnownTarget,
  bytes: Uint8Array,
  counts: FunctionCounts,
): NativeCode {
  const functions = findInstructions(bytes, key.version, counts) ?? [];
  return {
    engine: formatEngineKey(key),
    version: shortVersion(key),
    release,
    cpu,
    bytes,
    functions,
    statistics: {
      functions: counts.functions,
      compiled: functions.length,
      codeSize: functions.reduce((sum, range) => sum + range.size, 0),
    },
  };
}
