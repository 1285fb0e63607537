/** A target: a node executable to precompile for, and the requirements of native code for its V8. */
import type { CpuRequirements } from '../runtime/shared/manifest.ts';
import type { EngineKey } from './engine-key.ts';
import type { HostEngine } from './host-process.ts';

/** An engine that was probed. */
export interface Target extends HostEngine {
  /** For messages: `node 22.23.3`. */
  release: string;
  /** For messages, with the version of V8: `node 22.23.3 (V8 12.4.254.21-node.57)`. */
  label: string;
  /** `process.arch` of the target. */
  arch: string;
  /** `<platform>-<arch>-<abi>`: the key by which the runtime finds its native addon. */
  addonKey: string;
  /** Requirements of native code, or a message that says why this engine cannot make native code. */
  engine: TargetEngine | { missing: string };
}

export interface TargetEngine {
  /** The key of native code: with the features that the code may use, and the flag hash of a process without flags. */
  key: EngineKey;
  cpu: CpuRequirements;
  /** The CPU features word of the target on this machine. */
  hostFeatures: number;
  /** With these flags, the target uses no features above the CPU level. */
  levelFlags: string[];
}

/** A target that can make native code. */
export type KnownTarget = Target & { engine: TargetEngine };
