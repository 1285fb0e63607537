import type { ArtifactManifest, CpuRequirements } from '../runtime/shared/manifest.ts';

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** The range of the instructions of one function. */
export interface FunctionRange {
  /** Index in the function index space, which includes imported functions. */
  index: number;
  /** Bytes from the start of the native code. */
  offset: number;
  /** Bytes of instructions, without metadata. */
  size: number;
}

export interface NativeStatistics {
  /** How many functions the module declares. */
  functions: number;
  /** How many of them have machine code. */
  compiled: number;
  /** Bytes of instructions. */
  codeSize: number;
  /** How many functions the startup profile has, if the native code was trimmed to it. */
  executed?: number;
}

/** Native code for one target. */
export interface NativeCode {
  /** Engine key, e.g. `v8-13.6.233.17-node.53-linux-x64-00023eff-823df6f1`; unique within an artifact. */
  engine: string;
  /** The version in the name of its section, e.g. `v8-13.6.233.17`. */
  version: string;
  /** The target's release, for messages: `node 24.9.0`. */
  release: string;
  cpu: CpuRequirements;
  bytes: Uint8Array;
  /** In any order. Empty if the layout of `bytes` is unknown. */
  functions: readonly FunctionRange[];
  statistics: NativeStatistics;
}

export interface ArtifactContents<Interface = JsonValue> {
  /** Name and version of the tool that made the artifact, e.g. `unplugin-wasm-precompile 0.1.0`. */
  producer: string;
  /** Architecture of the native code: a value of `process.arch`, or `none` without native code. */
  machine: Machine;
  /** Base name of the module without extension, e.g. `sql-wasm`. */
  name: string;
  /** SHA-256 of the source file before stripping: 64 hexadecimal digits. */
  sourceSha256: string;
  /** The wire bytes of the original module. */
  wire: Uint8Array;
  /** The split module. `native` is then the native code of the primary. */
  split?: SplitContents | undefined;
  /** Imports, exports and their types: any JSON value. */
  interface: Interface;
  /** Names by function index. Packing removes control characters. */
  functionNames: ReadonlyMap<number, string>;
  native: readonly NativeCode[];
  /** The startup profile that the native code was trimmed to, as text. */
  profile?: string | undefined;
}

/** The modules of a split: see wasm/split/split-module.ts. */
export interface SplitContents {
  primary: Uint8Array;
  secondaries: readonly {
    wire: Uint8Array;
    /**
     * Native code for each target of `native`, in the same order. It has no compiled function, but with it V8
     * does not have to validate the secondary.
     */
    native: readonly (Uint8Array | undefined)[];
  }[];
  /** The contents of the memory, if the primary imports it: see wasm/split/separate-memory.ts. */
  memory?: Uint8Array | undefined;
  /**
   * If the primary is stubbed: the plan that reassembles the full primary from it and the last secondary.
   * `native` is then compiled from the full primary.
   */
  full?: Uint8Array | undefined;
  /** The reassembly plan of the original module: see runtime/shared/reassembly-plan.ts. */
  plan: Uint8Array;
}

export type Machine = 'x64' | 'arm64' | 'none';

/**
 * An artifact that was read completely. `functionNames` has only functions with machine code for some target.
 * The `bytes` of native code are views of the file, and so is `wire` unless it was compressed. Packing an
 * artifact again results in the same bytes.
 */
export interface Artifact extends ArtifactContents {
  form: ArtifactForm;
  formatVersion: number;
  /** Whether the wire bytes are compressed in the file. `manifest.wire` is then the range of the zlib stream. */
  compressed: boolean;
  manifest: ArtifactManifest;
  /** The names of the native code sections, in the order of `native`. */
  nativeSections: readonly string[];
}

/** `artifact`: a file that the runtime maps (ET_DYN). `object`: a file for a native linker (ET_REL). */
export type ArtifactForm = 'artifact' | 'object';
