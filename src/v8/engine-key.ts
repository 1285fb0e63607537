/**
 * The engine key: the properties of a process that must equal those of native code. As a string:
 *
 *     v8-13.6.233.17-node.53-linux-x64-00023eff-823df6f1
 *     └┬┘└────────┬───────┘ └─┬─┘ └┬┘ └───┬──┘ └───┬──┘
 *   engine  process.versions.v8  platform  arch  CPU features  flag hash
 *
 * The version includes the embedder's part, because Node backports patches to V8 without changing the four numbers
 * that V8 compares. The platform is part of the key because machine code calls C functions by the platform's calling
 * convention, which V8 does not compare. CPU features and flag hash are words in the header of native code
 * (src/wasm/wasm-serialization.cc, `WriteHeader`).
 */
export interface EngineKey {
  /** `process.versions.v8`, e.g. `13.6.233.17-node.53`. */
  version: string;
  /** `process.platform`. */
  platform: string;
  /** `process.arch`. */
  arch: string;
  /** The CPU features word. */
  cpuFeatures: number;
  /** The hash of all V8 flags. */
  flagHash: number;
}

export function formatEngineKey(key: EngineKey): string {
  return `v8-${key.version}-${key.platform}-${key.arch}-${hex32(key.cpuFeatures)}-${hex32(key.flagHash)}`;
}

/** The four numbers of a V8 version, in the form of section names in artifacts: `v8-13.6.233.17`. */
export function shortVersion(key: EngineKey): string {
  return `v8-${key.version.split('-', 1)[0] ?? key.version}`;
}

function hex32(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
