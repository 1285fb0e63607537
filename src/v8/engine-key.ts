/**
 * The engine key: what must be equal for native code to be usable in a process. As a string it is
 *
 *     v8-13.6.233.17-node.53-linux-x64-00023eff-823df6f1
 *     └┬┘└────────┬───────┘ └─┬─┘ └┬┘ └───┬──┘ └───┬──┘
 *   engine  process.versions.v8  platform  arch  CPU features  flag hash
 *
 * The whole version counts, with the embedder's part: Node backports patches to V8 without changing the four
 * numbers that V8 compares itself. The platform counts because machine code calls C functions by the
 * platform's calling convention, which V8 does not compare at all. CPU features and flag hash are the words
 * that V8 writes into the header of its native code (src/wasm/wasm-serialization.cc, `WriteHeader`).
 */
export interface EngineKey {
  /** `process.versions.v8`, e.g. `13.6.233.17-node.53`. */
  version: string;
  /** `process.platform`. */
  platform: string;
  /** `process.arch`. */
  arch: string;
  /** The word of supported CPU features. */
  cpuFeatures: number;
  /** The hash of all V8 flags. */
  flagHash: number;
}

export function formatEngineKey(key: EngineKey): string {
  return `v8-${key.version}-${key.platform}-${key.arch}-${hex32(key.cpuFeatures)}-${hex32(key.flagHash)}`;
}

/** The four numbers of a V8 version, as artifacts name their sections: `v8-13.6.233.17`. */
export function shortVersion(key: EngineKey): string {
  return `v8-${key.version.split('-', 1)[0] ?? key.version}`;
}

function hex32(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
