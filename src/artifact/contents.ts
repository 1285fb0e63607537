import type { ArtifactManifest, CpuRequirements } from '../runtime/shared/manifest.ts';

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Where the instructions of one function are. */
export interface FunctionRange {
  /** In the function index space of the module: imported functions count. */
  index: number;
  /** In bytes from the start of the native code. */
  offset: number;
  /** In bytes, of the instructions only: no metadata. */
  size: number;
}

export interface NativeStatistics {
  /** Functions that the module declares. */
  functions: number;
  /** Those of them with machine code. */
  compiled: number;
  /** Bytes of instructions. */
  codeSize: number;
  /** Functions that the startup profile names, where the native code was trimmed to it. */
  executed?: number;
}

/** Native code for one target. */
export interface NativeCode {
  /** Engine key, e.g. `v8-13.6.233.17-node.53-linux-x64-00023eff-823df6f1`; unique within an artifact. */
  engine: string;
  /** What its section is named after, e.g. `v8-13.6.233.17`. */
  version: string;
  /** Of the target, for people: `node 24.9.0`. */
  release: string;
  cpu: CpuRequirements;
  bytes: Uint8Array;
  /** In any order; empty when the layout of `bytes` is unknown. */
  functions: readonly FunctionRange[];
  statistics: NativeStatistics;
}

export interface ArtifactContents<Interface = JsonValue> {
  /** Name and version of what made the artifact, e.g. `unplugin-wasm-precompile 0.1.0`. */
  producer: string;
  /** Architecture of the native code, as `process.arch` has it; `none` if there is no native code. */
  machine: Machine;
  /** Base name of the module without extension, e.g. `sql-wasm`. */
  name: string;
  /** 64 hexadecimal digits: SHA-256 of the source file, before anything was stripped from it. */
  sourceSha256: string;
  /** The module in the wasm binary format, whole. */
  wire: Uint8Array;
  /** Where the module is split; native code is then that of the primary. */
  split?: SplitContents | undefined;
  /** Imports, exports and their types; anything that JSON can hold. */
  interface: Interface;
  /** By function index. Control characters do not survive packing. */
  functionNames: ReadonlyMap<number, string>;
  native: readonly NativeCode[];
  /** The startup profile that native code was trimmed to, as text. */
  profile?: string | undefined;
}

/** A module in parts: see wasm/split/split.ts. */
export interface SplitContents {
  primary: Uint8Array;
  secondaries: readonly {
    wire: Uint8Array;
    /** One for each target of `native`, in the same order. No function is compiled in it: it spares V8 the validation. */
    native: readonly (Uint8Array | undefined)[];
  }[];
  /** The memory, where the primary imports it: see runtime/node/split/memory.ts. */
  memory?: Uint8Array | undefined;
  /** Where the primary is lean: what gives the full one of it and the last secondary. Native code is then that of the full one. */
  full?: Uint8Array | undefined;
  /** How all of these are put together again: see runtime/shared/reassembly-plan.ts. */
  plan: Uint8Array;
}

export type Machine = 'x64' | 'arm64' | 'none';

/**
 * An artifact read whole. `functionNames` has the functions with machine code only, by any target; `wire`, unless it was
 * compressed, and the `bytes` of native code are views of the file. Packing an artifact again gives the same bytes.
 */
export interface Artifact extends ArtifactContents {
  /** `artifact` for ET_DYN, `object` for ET_REL. */
  form: ArtifactForm;
  formatVersion: number;
  /** Whether the wire bytes are compressed in the file; `map.wire` is then the place of the zlib stream. */
  compressed: boolean;
  manifest: ArtifactManifest;
  /** In order of `native`: the names of their sections. */
  nativeSections: readonly string[];
}

/** `artifact`: what the runtime maps (ET_DYN). `object`: for a native linker (ET_REL). */
export type ArtifactForm = 'artifact' | 'object';
