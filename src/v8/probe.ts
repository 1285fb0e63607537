/** Probes a target: reads the version, architecture and CPU features of a node executable from a process of it. */
import process from 'node:process';
import { execa } from 'execa';
import { findAddon } from '../addon/files.ts';
import { WasmPrecompileError } from '../common/error.ts';
import {
  type CpuLevel,
  defaultCpuLevel,
  featuresOf,
  flagsForLevel,
  isLevelOf,
  neededFeatures,
} from './cpu.ts';
import { readHeader } from './header.ts';
import { type HostEngine, HostFailure, runHost } from './host-process.ts';
import type { Target, TargetEngine } from './target.ts';

/** In milliseconds. */
const PROBE_TIME_LIMIT = 60_000;

/** The response of compile-host.js to the command `probe`. */
interface ProbeResponse {
  node: string;
  v8: string;
  platform: string;
  arch: string;
  abi: string;
  versionTag: number;
  /** Native code of the smallest module; undefined if this V8 needs the native addon for it. */
  trial: Buffer | undefined;
}

const targets = new Map<string, Promise<Target>>();

/**
 * Probes an engine. The result is cached for the life of this process.
 *
 * @param target `host` or the path of a node executable
 * @param cpu the CPU level of native code. Default: that of the target's architecture
 * @throws WasmPrecompileError `INVALID_OPTIONS` if the executable cannot be started, is not node, or has another
 *   architecture than the level
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

/** The node that runs the build; if Bun runs it, the node in the search path. */
function hostNode(): string {
  return process.versions['bun'] === undefined ? process.execPath : 'node';
}

async function probe(node: string, cpu: CpuLevel | undefined): Promise<Target> {
  let response;
  let addon;
  try {
    response = await runProbe({ node });
    addon = findAddon(response);
    if (!response.trial && addon !== undefined) response = await runProbe({ node, addon });
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    await expectNode(node, error);
    return describeFailure(node, error);
  }
  const release = `node ${response.node}`;
  const target = {
    node,
    addon,
    arch: response.arch,
    release,
    label: `${release} (V8 ${response.v8})`,
    addonKey: `${response.platform}-${response.arch}-${response.abi}`,
  };
  const { trial } = response;
  if (!trial) {
    const missing = `${target.label} gives native code only through the native addon, and there is none for it. Build one with \`wasm-precompile addon build\`. Without it, modules are compiled at startup there, as without the plugin.`;
    return { ...target, engine: { missing } };
  }
  const level = cpu ?? defaultCpuLevel(target.arch);
  if (!isLevelOf(level, target.arch)) {
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `Option \`cpu\`: CPU level ${level} is not supported by ${target.label}, whose architecture is ${target.arch}.`,
    );
  }
  return { ...target, engine: await describeEngine(target, { ...response, trial }, level) };
}

async function describeEngine(
  target: HostEngine,
  { v8: version, platform, arch, versionTag, trial }: ProbeResponse & { trial: Buffer },
  level: CpuLevel,
): Promise<TargetEngine> {
  const levelFlags = flagsForLevel(level, version);
  const limited =
    levelFlags.length === 0 ? trial : ((await runProbe({ ...target, flags: levelFlags })).trial ?? trial);
  const { flagHash, cpuFeatures: hostFeatures } = readHeader(trial);
  const { cpuFeatures } = readHeader(limited);
  const features = featuresOf(version, arch);
  return {
    key: { version, platform, arch, cpuFeatures, flagHash },
    cpu: {
      level,
      needs: neededFeatures(cpuFeatures, features),
      features,
      trial: trial.toString('base64'),
      versionTag,
    },
    hostFeatures,
    levelFlags,
  };
}

/** @throws HostFailure */
async function runProbe(engine: HostEngine): Promise<ProbeResponse> {
  const { json } = await runHost(engine, 'probe', new Uint8Array(), PROBE_TIME_LIMIT);
  const { trial } = json;
  return {
    node: String(json['node']),
    v8: String(json['v8']),
    platform: String(json['platform']),
    arch: String(json['arch']),
    abi: String(json['abi']),
    versionTag: Number(json['versionTag']),
    trial: typeof trial === 'string' ? Buffer.from(trial, 'base64') : undefined,
  };
}

/** A node that fails to compile even the smallest module. */
function describeFailure(node: string, { message }: HostFailure): Target {
  return {
    node,
    release: node,
    label: node,
    arch: process.arch,
    addonKey: '',
    engine: {
      missing: `${node} cannot be precompiled for: ${message}. Modules are compiled at startup there, as without the plugin.`,
    },
  };
}

/**
 * Throws if a program that failed is not node. `--version` works in every node, since it runs before anything that may
 * fail.
 */
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
