/** A V8 to precompile for: what it is, and native code made and checked by it. */
import process from 'node:process';
import { execa } from 'execa';
import { WasmPrecompileError } from '../../error.ts';
import { findInstructions, type FunctionCounts } from './layout.ts';
import { frame, type HostEngine, HostFailure, runHost } from './host-process.ts';
import { type EngineKey, formatEngineKey, shortVersion } from '../key.ts';
import { findAddon } from '../../addon/files.ts';
import type { NativeCode } from '../../artifact/contents.ts';
import { mixNativeCode, trimNativeCode } from './trim.ts';

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
  /** The engine key, or why native code cannot be made for this engine. */
  engine: { key: EngineKey } | { missing: string };
}

/** A module's native code, or why there is none. */
export type CompileResult =
  | { kind: 'native'; native: NativeCode; milliseconds: number }
  | { kind: 'unsupported' | 'failed'; reason: string };

const targets = new Map<string, Promise<Target>>();

/**
 * Asks an engine what it is. The answer is remembered for the life of this process.
 *
 * @param target `host` or the path of a node executable
 * @throws WasmPrecompileError `INVALID_OPTIONS` where it cannot be started or is no node
 */
export function probeTarget(target: string): Promise<Target> {
  const node = target === 'host' ? process.execPath : target;
  let probed = targets.get(node);
  if (!probed) {
    probed = probe(node);
    targets.set(node, probed);
    probed.catch(() => targets.delete(node));
  }
  return probed;
}

async function probe(node: string): Promise<Target> {
  let json;
  let addon;
  try {
    ({ json } = await runHost({ node }, 'probe', new Uint8Array(), PROBE_TIME_LIMIT));
    addon = findAddon({
      platform: String(json['platform']),
      arch: String(json['arch']),
      abi: String(json['abi']),
    });
    if (json['header'] === undefined && addon !== undefined) {
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
  if (typeof json['header'] !== 'string') {
    const missing = `${target.label} gives native code only through the native loader, which is not there for it (\`wasm-precompile addon build\` makes it). Modules are compiled at start-up there, as without the plugin.`;
    return { ...target, engine: { missing } };
  }
  const header = Buffer.from(json['header'], 'hex');
  const key: EngineKey = {
    version,
    platform,
    arch,
    cpuFeatures: header.readUInt32LE(8),
    flagHash: header.readUInt32LE(12),
  };
  return { ...target, engine: { key } };
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
  target: Target & { engine: { key: EngineKey } },
  wire: Uint8Array,
  counts: FunctionCounts,
  timeLimit: number,
): Promise<CompileResult> {
  try {
    const compiled = await runHost(target, 'compile', wire, timeLimit);
    if (!(await isAccepted(target, wire, compiled.bytes, timeLimit))) {
      return {
        kind: 'failed',
        reason: `a fresh process of ${target.label} does not accept its own native code`,
      };
    }
    const native = describeNativeCode(target.engine.key, compiled.bytes, counts);
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
  target: Target & { engine: { key: EngineKey } },
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
  // A run under other flags, for instance, gives nothing to mix with.
  const mixed = takesRun(key, run) ? mixNativeCode(native, run.bytes, version, counts, choose) : undefined;
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

/** Whether a fresh process of the target takes native code as it is. @throws HostFailure where it crashes */
async function isAccepted(
  target: HostEngine,
  wire: Uint8Array,
  native: Uint8Array,
  timeLimit: number,
): Promise<boolean> {
  const input = frame({ wireSize: wire.length }, wire, native);
  return (await runHost(target, 'check', input, timeLimit)).json['accepted'] === true;
}

/** What an artifact says of native code: its key, its functions where the layout is known, its statistics. */
export function describeNativeCode(key: EngineKey, bytes: Uint8Array, counts: FunctionCounts): NativeCode {
  const functions = findInstructions(bytes, key.version, counts) ?? [];
  return {
    engine: formatEngineKey(key),
    version: shortVersion(key),
    bytes,
    functions,
    statistics: {
      functions: counts.functions,
      compiled: functions.length,
      codeSize: functions.reduce((sum, range) => sum + range.size, 0),
    },
  };
}
