/**
 * Loads an artifact:
 *  1. Choose the native code by engine key; see whether this process may use native code at all.
 *  2. Map (or read) the file's head, the wire bytes and the chosen native code.
 *  3. Check that it is the file that the manifest was made for, and the checksums.
 *  4. Let V8 deserialize; where anything is missing or wrong, compile the wire bytes.
 */
import { builtin } from './builtin.ts';
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
  flagsOf,
  HAS_NATIVES,
  isRunningWith,
  type HeaderWords,
} from './natives.ts';
import { readRanges } from './read.ts';
import { fail, type FallbackMode, reportFallback } from './fallback.ts';
import { reportLoad } from './debug.ts';
import { either, type Steps } from './steps.ts';

const { fileURLToPath } = builtin('node:url');

export interface ArtifactOptions {
  /** Compare checksums before using what was read. */
  verify: boolean;
  fallback: FallbackMode;
  /** Of fit.ts. Without it, nobody knows whether native code may be used in this process, and none is. */
  checkCompatibility?: CheckCompatibility;
  /** Of heal.ts, where the option asks for it. */
  recompile?: Recompile;
  /** Of split.ts, where the artifact may be that of a split module. */
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

/** What is different for the primary of a split module (split.ts). */
export interface PrimaryLoad {
  /** Begins what another thread can do while V8 is busy; only with the native loader, and where address space is not scarce. */
  begin(addon: Addon): void;
  /** Reads what is to be compiled, where the wire bytes are of use to native code only. */
  full: (() => Uint8Array<ArrayBuffer>) | undefined;
}

const REBUILD = 'See "Deploying" in the README.';
const REDEPLOY = 'Deploy one whole build again.';

/** Why native code is not used, and what to do about it. */
type Refusal = readonly [reason: string, advice: string];

/** Native code for this V8, and the native loader where it is there; or why there is none. */
type Choice =
  | { refusal?: undefined; segment: NativeEntry; addon: Addon | undefined; fit: CheckCompatibility }
  | { refusal: Refusal; segment?: undefined; addon?: undefined; fit?: undefined };

/**
 * Sees whether native code for the running V8 may be used in this process (fit.ts).
 *
 * @returns the words that its header needs here; or why it may not
 */
export type CheckCompatibility = (segment: NativeEntry, addon: Addon | undefined) => HeaderWords | string;

/** A module of healed native code, with its engine key, or what is being done about that. */
export type Recompiled =
  | { refused?: undefined; module: WebAssembly.Module; engine: string }
  | { refused: string; module?: WebAssembly.Module | undefined };

/**
 * Finds native code that was made on this machine for processes like this one, or has it made (heal.ts).
 *
 * @param wire what is to be compiled
 */
export type Recompile = (
  file: string,
  manifest: ArtifactManifest,
  wire: ArrayBuffer,
  addons: Addons,
) => Recompiled;

/** The wire bytes among the parts of an artifact: head, wire bytes, native code. */
const WIRE = 1;

/** Bytes. */
const BUILD_ID_SIZE = 20;

/**
 * @param url file URL of the artifact
 * @param manifest what the build wrote of its layout
 * @param addons the native loader's binaries
 * @param asynchronous whether the caller waits for what is yielded
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
  const {
    segment,
    addon,
    fit,
    refusal: refused,
  } = recorder ? refuse('recording') : chooseNative(manifest, options, addons);
  const parts = [{ offset: 0, size: manifest.buildIdOffset + BUILD_ID_SIZE }, manifest.wire];
  // Where there is no handler, address space may be scarce (trap-handler.ts).
  const native = addon?.handlesSegv() === false ? undefined : segment;
  if (native) parts.push(native);
  // Other threads read, while this one sees whether it may use what they read.
  const arrive = startReading(file, parts, native && addon, asynchronous);
  let helper: DeserializationWorker | undefined;
  let contents: Contents | undefined;
  try {
    const words = segment ? fit(segment, addon) : '';
    if (asynchronous && native && typeof words !== 'string') helper = addon?.startWorker(native.size);
    contents = yield* arrive();
    observe?.('map');
    const { segments, crcs, size, mapped } = contents;
    const [head, wire, code] = segments;
    // Undefined where nobody can tell.
    const isIntact = (bytes: ArrayBuffer, part: SegmentEntry) => {
      const crc = crcs?.[parts.indexOf(part)] ?? getCrc32()?.(new Uint8Array(bytes));
      return crc === undefined ? undefined : crc === part.crc32;
    };
    const foreign = describeDifference(manifest, size, head);
    if (
      !wire ||
      (foreign ? !isIntact(wire, manifest.wire) : options.verify && isIntact(wire, manifest.wire) === false)
    ) {
      const why = foreign ?? 'its checksum is wrong';
      fail(`${file}: its wasm module is damaged or missing: ${why}. ${REDEPLOY}`);
    }

    const report = (loaded: WebAssembly.Module, how: string, detail: string, bytes: number) => {
      observe?.('load', loaded, how);
      reportLoad(file, how, detail, bytes, mapped, start);
      return loaded;
    };
    if (native && addon) primary?.begin(addon);
    let module: WebAssembly.Module | undefined;
    let refusal: Refusal;
    if (foreign) refusal = [foreign, REDEPLOY];
    else if (!segment) refusal = refused;
    else if (typeof words === 'string') refusal = [words, REBUILD];
    else if (!native) refusal = ['address space is limited', REBUILD];
    else if (!code || (options.verify && !isIntact(code, segment)))
      refusal = ['its checksum is wrong', REDEPLOY];
    else {
      observe?.('check');
      const [cpuFeatures, flags] = words;
      // In this process's own copy of the page.
      new Uint32Array(code, 8, 2).set([cpuFeatures, flags.hash]);
      const helped = helper && ((yield helper.deserialize(contents, flags.hash)) as Deserialized);
      const result = helped?.module ? helped : deserialize(code, wire, flags, addon, contents);
      if (result.refused === undefined)
        return report(result.module, 'precompiled', segment.engine, wire.byteLength + segment.size);
      // What V8 made of wire bytes that are not all there is of no use.
      if (!primary?.full) module = result.module;
      refusal = [result.refused, REBUILD];
    }
    const source = primary?.full?.().buffer ?? wire;
    // What a build on this machine would cure.
    const healed = refusal[1] === REBUILD && options.recompile?.(file, manifest, source, addons);
    if (healed) {
      if (healed.refused === undefined)
        return report(healed.module, 'precompiled', healed.engine, source.byteLength);
      module ??= healed.module;
      refusal = [`${refusal[0]}; healing: ${healed.refused}`, REBUILD];
    }
    if (recorder) recorder(source, file);
    else if (manifest.native[0]) reportFallback(options.fallback, file, ...refusal);
    module ??= yield* either(
      asynchronous,
      () => new WebAssembly.Module(source),
      () => WebAssembly.compile(source),
    );
    return report(module, 'compiled', refusal[0], source.byteLength);
  } finally {
    if (contents) addon?.release(contents);
    helper?.stop();
  }
}

/** Starts to manifest parts of an artifact, where the native loader is there. @returns gives them when they are there, or reads them */
function startReading(
  file: string,
  parts: readonly Range[],
  addon: Addon | undefined,
  asynchronous: boolean,
): () => Steps<Contents> {
  const arrival = asynchronous ? addon?.mapAsync(file, parts, WIRE) : addon?.map(file, parts, WIRE);
  // Whoever waits hears of it; nobody does where something else fails before.
  if (arrival instanceof Promise) arrival.catch(() => {});
  return function* arrive() {
    try {
      if (!arrival) return yield* readRanges(file, parts, asynchronous);
      return (typeof arrival === 'function' ? arrival() : yield arrival) as Contents;
    } catch (cause) {
      return fail(
        `${file}: cannot read this artifact: ${cause as Error}. ${REDEPLOY}`,
        (cause as NodeJS.ErrnoException).code,
      );
    }
  };
}

/** In what a file differs from the one that the manifest was made for. */
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

/** The native code for this engine, or why there is none. */
function chooseNative(
  { native }: ArtifactManifest,
  { verify, checkCompatibility: fit }: ArtifactOptions,
  addons: Addons,
): Choice {
  const { versions, platform, arch } = process;
  if (!native[0]) return refuse('the artifact holds none');
  if (!fit) return refuse('the option `fit` is missing');
  if (!isNode()) return refuse(NOT_NODE);
  const running = `v8-${versions.v8}-${platform}-${arch}`;
  const [first, ...others] = native.filter(({ engine }) => engine.startsWith(`${running}-`));
  if (!first) {
    const made = native.map(({ node, engine }) => `${node} (${engine.slice(0, -18)})`);
    return refuse(`node ${versions.node} (${running}) is not among its targets: ${made}`, REBUILD);
  }
  const loaded = loadAddon(addons);
  const addon = typeof loaded === 'string' ? undefined : loaded;
  if (!addon && !HAS_NATIVES) {
    return refuse(
      `it needs the native loader: ${loaded as string}`,
      'See "The native loader" in the README.',
    );
  }
  if (verify && !addon && !getCrc32()) return refuse('zlib.crc32 is missing');
  // There are several only where targets were started with other flags.
  const segment = others.find((each) => isRunningWith(flagsOf(each), addon)) ?? first;
  return { segment, addon, fit };
}

function refuse(reason: string, advice = ''): Choice {
  return { refusal: [reason, advice] };
}
