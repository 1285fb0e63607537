/**
 * Loads an artifact:
 *  1. Select the native code by engine key, and check that this process may use native code at all.
 *  2. Map (or read) the file's head, the wire bytes and the selected native code.
 *  3. Check that the file is the one that the manifest describes, and compare checksums.
 *  4. Let V8 deserialize the native code. If anything is missing or wrong, compile the wire bytes.
 */
import { fileURLToPath } from './builtin.ts';
import {
  type Addon,
  type Addons,
  type Contents,
  type DeserializationWorker,
  isNode,
  loadAddon,
  NOT_NODE,
  type Range,
} from './addon.ts';
import { getCrc32 } from './crc32.ts';
import { getHook } from './preload-hooks.ts';
import type { ArtifactManifest, NativeEntry, SegmentEntry } from '../shared/manifest.ts';
import {
  deserialize,
  type Deserialized,
  flagsOfTarget,
  HAS_NATIVES,
  isRunningWith,
  type RequiredHeader,
} from './natives.ts';
import { readRanges } from './read-ranges.ts';
import { fail, type FallbackMode, reportFallback } from './fallback.ts';
import { reportLoad } from './debug.ts';
import { syncOrAsync, type Steps } from './steps.ts';
import { viewProcessWords } from '../shared/v8-header.ts';

export interface ArtifactOptions {
  /** Compare checksums before the contents are used. */
  verify: boolean;
  fallback: FallbackMode;
  /**
   * The function of compatibility.ts. Without it no native code is used, because nothing else checks that this is
   * safe.
   */
  checkCompatibility?: CheckCompatibility;
  /** The function of recompile.ts, if the build enabled on-device compilation. */
  recompile?: Recompile;
  /** The function of load-split.ts, if the module may be split. */
  split?: ArtifactLoad;
}

/** Loads an artifact. */
export type ArtifactLoad = (
  url: string,
  manifest: ArtifactManifest,
  options: ArtifactOptions,
  addons: Addons,
  asynchronous: boolean,
  primary?: PrimaryLoad,
) => Steps<WebAssembly.Module>;

/** What is different when the primary of a split module is loaded (load-split.ts). */
export interface PrimaryLoad {
  /**
   * Starts work that another thread can do while V8 is busy. Called only if there is a native addon and address space
   * is not limited.
   */
  startMemory(addon: Addon): void;
  /** Reads the full primary, if the wire bytes in the artifact are a stubbed primary, which V8 must not compile. */
  readFull: (() => Uint8Array<ArrayBuffer>) | undefined;
}

const SEE_DEPLOYING = 'See "Deploying" in the README.';
const DEPLOY_AGAIN = 'Deploy the complete build again.';

/** Why native code is not used, and what the user can do. */
type FallbackReason = readonly [reason: string, advice: string];

/**
 * Why there is no native code for this V8; or the native code, with the native addon if it can be loaded. A tuple,
 * because that is shorter when minified.
 */
type NativeSelection =
  | readonly [reason: FallbackReason, segment?: undefined, addon?: undefined]
  | readonly [reason: undefined, segment: NativeEntry, addon: Addon | undefined];

/**
 * Checks whether native code for the running V8 may be used in this process (compatibility.ts).
 *
 * @param handlesSegv what the addon has returned, if there is one
 * @returns what its header must contain in this process, or why it may not be used
 */
export type CheckCompatibility = (
  segment: NativeEntry,
  addon: Addon | undefined,
  handlesSegv?: boolean,
) => RequiredHeader | string;

/**
 * A module with native code that was compiled on this device, with its engine key; or the status of that compilation.
 */
export type Recompiled =
  | { status?: undefined; module: WebAssembly.Module; engine: string }
  | { status: string; module?: WebAssembly.Module | undefined };

/**
 * Finds native code that was compiled on this device for processes like this one, or schedules that compilation
 * (recompile.ts).
 *
 * @param wire the module to compile
 */
export type Recompile = (
  file: string,
  manifest: ArtifactManifest,
  wire: ArrayBuffer,
  addons: Addons,
) => Recompiled;

/** Index of the wire bytes in the ranges to load, after the head and before the native code. */
const WIRE = 1;

/** Bytes. */
const BUILD_ID_SIZE = 20;

/**
 * @param url file URL of the artifact
 * @param manifest the layout of the artifact, as the build wrote it
 * @param addons the native addon's binaries
 * @param asynchronous whether the caller awaits the yielded promises
 */
export function* loadArtifact(
  url: string,
  manifest: ArtifactManifest,
  options: ArtifactOptions,
  addons: Addons,
  asynchronous: boolean,
  primary?: PrimaryLoad,
): Steps<WebAssembly.Module> {
  const start = performance.now();
  const file = fileURLToPath(url);
  const recorder = getHook('recorder');
  const observe = getHook('observer')?.(file);
  const [unselected, segment, addon] = recorder
    ? withoutNative('recording')
    : selectNative(manifest, options, addons);
  const ranges = [{ offset: 0, size: manifest.buildIdOffset + BUILD_ID_SIZE }, manifest.wire];
  // Without a handler, address space may be limited (trap-handler.ts).
  const handlesSegv = addon?.handlesSegv();
  const native = handlesSegv === false ? undefined : segment;
  if (native) ranges.push(native);
  // Other threads read while this thread checks the compatibility.
  const finishReading = startReading(file, ranges, native && addon, asynchronous);
  let worker: DeserializationWorker | undefined;
  let contents: Contents | undefined;
  try {
    const required = (segment && options.checkCompatibility?.(segment, addon, handlesSegv)) ?? '';
    if (asynchronous && native && typeof required !== 'string') worker = addon?.startWorker(native.size);
    contents = yield* finishReading();
    observe?.('map');
    const {
      segments: [head, wire, code],
      crcs,
      size,
      mapped,
    } = contents;
    // Undefined if nothing can compute the checksum.
    const isIntact = (bytes: ArrayBuffer, range: SegmentEntry) => {
      const crc = crcs?.[ranges.indexOf(range)] ?? getCrc32()?.(new Uint8Array(bytes));
      return crc === undefined ? undefined : crc === range.crc32;
    };
    const difference = describeDifference(manifest, size, head);
    if (
      !wire ||
      (difference
        ? !isIntact(wire, manifest.wire)
        : options.verify && isIntact(wire, manifest.wire) === false)
    ) {
      const why = difference ?? 'its checksum is wrong';
      fail(`${file}: its wasm module is damaged or missing: ${why}. ${DEPLOY_AGAIN}`);
    }

    const report = (loaded: WebAssembly.Module, how: string, detail: string, bytes: number) => {
      observe?.('load', loaded, how);
      reportLoad(file, how, detail, bytes, mapped, start);
      return loaded;
    };
    if (native && addon) primary?.startMemory(addon);
    let module: WebAssembly.Module | undefined;
    let fallback: FallbackReason;
    if (difference) fallback = [difference, DEPLOY_AGAIN];
    else if (!segment) fallback = unselected;
    else if (typeof required === 'string') fallback = [required, SEE_DEPLOYING];
    else if (!native) fallback = ['address space is limited', SEE_DEPLOYING];
    else if (!code || (options.verify && !isIntact(code, segment)))
      fallback = ['its checksum is wrong', DEPLOY_AGAIN];
    else {
      observe?.('check');
      const [cpuFeatures, flags] = required;
      // This changes only the process's private copy of the page.
      viewProcessWords(code).set([cpuFeatures, flags.hash]);
      const fromWorker = worker && ((yield worker.deserialize(contents, flags.hash)) as Deserialized);
      const result = fromWorker?.module ? fromWorker : deserialize(code, wire, flags, addon, contents);
      if (result.rejection === undefined)
        return report(result.module, 'precompiled', segment.engine, wire.byteLength + segment.size);
      // A module that V8 compiled from a stubbed primary cannot be used.
      if (!primary?.readFull) module = result.module;
      fallback = [result.rejection, SEE_DEPLOYING];
    }
    const source = primary?.readFull?.().buffer ?? wire;
    // On-device compilation only helps if native code exists but is made for another machine, V8 or set of flags.
    const recompiled = fallback[1] === SEE_DEPLOYING && options.recompile?.(file, manifest, source, addons);
    if (recompiled) {
      if (recompiled.status === undefined)
        return report(recompiled.module, 'precompiled', recompiled.engine, source.byteLength);
      module ??= recompiled.module;
      fallback = [`${fallback[0]}; on-device compilation: ${recompiled.status}`, SEE_DEPLOYING];
    }
    if (recorder) recorder(source, file);
    else if (manifest.native[0]) reportFallback(options.fallback, file, ...fallback);
    module ??= yield* syncOrAsync(
      asynchronous,
      () => new WebAssembly.Module(source),
      () => WebAssembly.compile(source),
    );
    return report(module, 'compiled', fallback[0], source.byteLength);
  } finally {
    if (contents) addon?.release(contents);
    worker?.stop();
  }
}

/**
 * Starts to map ranges of an artifact, if there is a native addon.
 *
 * @returns a function that returns the contents when they are mapped, or reads them
 */
function startReading(
  file: string,
  ranges: readonly Range[],
  addon: Addon | undefined,
  asynchronous: boolean,
): () => Steps<Contents> {
  const mapping = asynchronous ? addon?.mapAsync(file, ranges, WIRE) : addon?.map(file, ranges, WIRE);
  // Swallow the rejection here; the function below still throws it. Another error may come first, and then it is not
  // called.
  if (mapping instanceof Promise) mapping.catch(() => {});
  return function* finishReading() {
    try {
      if (!mapping) return yield* readRanges(file, ranges, asynchronous);
      return (typeof mapping === 'function' ? mapping() : yield mapping) as Contents;
    } catch (cause) {
      return fail(
        `${file}: cannot read this artifact: ${cause as Error}. ${DEPLOY_AGAIN}`,
        (cause as NodeJS.ErrnoException).code,
      );
    }
  };
}

/** Describes how a file differs from the one that the manifest was written for; returns undefined if it is the same. */
function describeDifference(
  manifest: ArtifactManifest,
  size: number,
  head: ArrayBuffer | undefined,
): string | undefined {
  if (!head || Buffer.from(head, 0, 4).toString('latin1') !== '\x7fELF') return 'it is not an ELF file';
  if (Buffer.from(head, manifest.buildIdOffset).toString('hex') !== manifest.buildId)
    return 'the file belongs to another build';
  return size === manifest.size ? undefined : `the file has ${size} bytes instead of ${manifest.size}`;
}

/** Selects the native code for this engine, or returns why there is none. */
function selectNative(
  { native }: ArtifactManifest,
  { verify, checkCompatibility }: ArtifactOptions,
  addons: Addons,
): NativeSelection {
  const { versions, platform, arch } = process;
  if (!native[0]) return withoutNative('the artifact holds none');
  if (!checkCompatibility) return withoutNative('no compatibility check');
  if (!isNode()) return withoutNative(NOT_NODE);
  const running = `v8-${versions.v8}-${platform}-${arch}`;
  const [first, ...more] = native.filter(({ engine }) => engine.startsWith(`${running}-`));
  if (!first) {
    const targets = native.map(({ node, engine }) => `${node} (${engine.slice(0, -18)})`);
    return withoutNative(
      `node ${versions.node} (${running}) is not among its targets: ${targets}`,
      SEE_DEPLOYING,
    );
  }
  const loaded = loadAddon(addons);
  const addon = typeof loaded === 'string' ? undefined : loaded;
  if (!addon && !HAS_NATIVES) {
    return withoutNative(
      `it needs the native addon: ${loaded as string}`,
      'See "The native addon" in the README.',
    );
  }
  if (verify && !addon && !getCrc32()) return withoutNative('zlib.crc32 is missing');
  // More than one matches only if targets were started with different flags.
  const segment = more.find((each) => isRunningWith(flagsOfTarget(each), addon)) ?? first;
  return [undefined, segment, addon];
}

function withoutNative(reason: string, advice = ''): NativeSelection {
  return [[reason, advice]];
}
