/**
 * Replaces `WebAssembly` and `fetch` in code that loads wasm files itself. If the bytes are those of a known artifact,
 * the call returns the artifact's module. All other calls are passed to the engine unchanged.
 */
import { builtin } from './builtin.ts';
import { getCrc32 } from './crc32.ts';
import { type FallbackMode, reportFallback } from './fallback.ts';
import type { ArtifactManifest, SegmentEntry } from '../shared/manifest.ts';
import type { ModuleHandle } from './steps.ts';

const { closeSync, openSync, readFile, readSync } = builtin('node:fs');
const { dirname: folderOf, isAbsolute, join, normalize } = builtin('node:path');
const { fileURLToPath } = builtin('node:url');

/** The artifact of a wasm file. */
export interface KnownArtifact {
  /** File URL. */
  url: string;
  manifest: ArtifactManifest;
  options: { fallback: FallbackMode };
  /** Returns a new module handle, so that the module is garbage-collected when the program drops it. */
  open: () => ModuleHandle;
  /** Compares bytes with the original module, if the artifact may be split (`split/load-split.ts`). */
  matchesOriginal?: (url: string, manifest: ArtifactManifest, bytes: Uint8Array) => boolean;
  /** `intercept` of `shared/link.ts`, if the artifact may be split. */
  intercept?: () => boolean;
}

/** A plain wasm file in the output. */
export interface KnownFile {
  /** File URL. */
  url: string;
  path: string;
  /** File URL of a chunk of the output. */
  base: string;
  /**
   * Returns the file's location in the output if `value` is its location in the source, relative to the code. Returns
   * any other value unchanged.
   *
   * @param value what the program computed from the file's name
   * @param from file URL of the code, or path of its folder
   * @param name path of the file, relative to `from`
   */
  locate: <Value>(value: Value, from: string, name: string) => Value;
  /** Returns the folder of a file URL; a path stays unchanged. */
  dirname: (from: string) => string;
  /** Fetches file URLs, which Node's own `fetch` rejects. */
  fetch: typeof fetch;
}

/** Arguments of the engine's functions, which accept more than TypeScript's library declares. */
type Args = readonly unknown[];

type Instantiated = WebAssembly.WebAssemblyInstantiatedSource;

/** A known module. Loading returns undefined if the engine should compile it. */
interface Known {
  artifact: KnownArtifact;
  load: () => Promise<WebAssembly.Module | undefined>;
  loadSync: () => WebAssembly.Module | undefined;
}

/** Files by their file URLs. */
const files = new Map<string, { path: string; known: Known | undefined }>();

// All copies of this runtime in a thread share the next two.

/** Known modules by their size in bytes. */
let bySize = new Map<number, Known[]>();

/** Responses that `fetch` below created for known files. */
let responses = new WeakMap<object, Known>();

/** Generated code reads functions of `WebAssembly` from this symbol first. */
const NAME = Symbol.for('wasm-precompile.runtime-loading');

/** @param artifact undefined for files without native code */
export function register(url: string, base: string, artifact?: KnownArtifact): KnownFile {
  const path = fileURLToPath(url);
  // Intercepted before the program can read a function that creates instances.
  const isUsable = artifact && (!artifact.manifest.split || artifact.intercept?.());
  const known = isUsable ? createKnown(artifact) : undefined;
  files.set(url, { path, known });
  if (known) publish(known);
  return {
    url,
    path,
    base,
    dirname,
    fetch,
    locate(value, from, name) {
      if (typeof value !== 'string') return value;
      const isUrl = value.startsWith('file:');
      try {
        const place = isUrl ? fileURLToPath(value) : value;
        const expected = join(dirname(from), name);
        if (isAbsolute(place) && normalize(place) === expected) return (isUrl ? url : path) as typeof value;
      } catch {
        // Not a valid file URL.
      }
      return value;
    },
  };
}

function publish(known: Known): void {
  const own = { bySize, responses, Module, compile, instantiate, compileStreaming, instantiateStreaming };
  const shared = ((globalThis as Record<symbol, unknown>)[NAME] ??= own) as typeof own;
  ({ bySize, responses } = shared);
  const { size } = originalOf(known.artifact.manifest);
  bySize.set(size, [...(bySize.get(size) ?? []), known]);
}

/** Returns the module that the program passes to `WebAssembly`: the original, if it is split. */
function originalOf({ wire, split }: ArtifactManifest): Pick<SegmentEntry, 'size' | 'crc32'> {
  return split?.original ?? wire;
}

function dirname(from: string): string {
  return from.startsWith('file:') ? folderOf(fileURLToPath(from)) : from;
}

/** Returns a regular `WebAssembly.Module`, called with or without `new`. */
function Module(...args: Args): WebAssembly.Module {
  const [source, ...options] = args;
  return recognise(source, options)?.loadSync() ?? construct(args);
}

async function compile(...args: Args): Promise<WebAssembly.Module> {
  const [source, ...options] = args;
  // Compared synchronously: the program may change its bytes as soon as this function returns.
  const known = recognise(source, options);
  return known ? ((await known.load()) ?? call('compile', args)) : call('compile', args);
}

async function instantiate(...args: Args): Promise<Instantiated> {
  const [source, imports, ...options] = args;
  const known = recognise(source, options);
  if (!known) return call('instantiate', args);
  const loaded = await known.load();
  return loaded ? instantiateModule(loaded, imports) : call('instantiate', args);
}

async function compileStreaming(...args: Args): Promise<WebAssembly.Module> {
  const [source, ...options] = args;
  const { response, loaded } = await receive(source, options);
  return loaded ?? call('compileStreaming', [response, ...options]);
}

async function instantiateStreaming(...args: Args): Promise<Instantiated> {
  const [source, imports, ...options] = args;
  const { response, loaded } = await receive(source, options);
  return loaded
    ? instantiateModule(loaded, imports)
    : call('instantiateStreaming', [response, imports, ...options]);
}

async function fetch(...args: Parameters<typeof globalThis.fetch>): Promise<Response> {
  const [input] = args;
  const file = typeof input === 'string' || input instanceof URL ? files.get(String(input)) : undefined;
  if (!file) return globalThis.fetch(...args);
  const { path, known } = file;
  const body = new ReadableStream(
    {
      async pull(controller) {
        controller.enqueue(new Uint8Array(await builtin('node:util').promisify(readFile)(path)));
        controller.close();
      },
    },
    // Reads the file only when the body is read.
    { highWaterMark: 0 },
  );
  const response = new Response(body, { headers: { 'content-type': WASM_TYPE } });
  Object.defineProperty(response, 'url', { value: String(input) });
  if (known) responses.set(response, known);
  return response;
}

const WASM_TYPE = 'application/wasm';

async function instantiateModule(loaded: WebAssembly.Module, imports: unknown): Promise<Instantiated> {
  return { module: loaded, instance: await WebAssembly.instantiate(loaded, imports as WebAssembly.Imports) };
}

/** Calls the engine's function with all of the program's arguments. */
function call<Result>(
  name: 'compile' | 'compileStreaming' | 'instantiate' | 'instantiateStreaming',
  args: Args,
): Promise<Result> {
  return Reflect.apply(WebAssembly[name], WebAssembly, args) as Promise<Result>;
}

function construct(args: Args): WebAssembly.Module {
  return Reflect.construct(WebAssembly.Module, args) as WebAssembly.Module;
}

/** Returns the artifact with exactly these bytes. Reads the artifact up to the first difference. */
function recognise(source: unknown, options: Args): Known | undefined {
  if (options.some((option) => option !== undefined)) return undefined;
  const bytes = viewOf(source);
  const candidates = bytes && bySize.get(bytes.length);
  if (!candidates) return undefined;
  for (const known of candidates) {
    const { artifact } = known;
    let reason: unknown;
    try {
      if (hasBytes(artifact, bytes)) return known;
      if (getCrc32()?.(bytes) === originalOf(artifact.manifest).crc32) reason = 'it holds another module';
    } catch (error) {
      reason = error;
    }
    if (reason !== undefined) reportUnused(artifact, reason);
  }
  return undefined;
}

/** Ignores shared memory, which other threads can change meanwhile, and DataView, which older engines reject. */
function viewOf(source: unknown): Uint8Array | undefined {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (!ArrayBuffer.isView(source) || source instanceof DataView) return undefined;
  if (!(source.buffer instanceof ArrayBuffer)) return undefined;
  return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}

/** Bytes per comparison: two buffers of this size fit into a processor's cache. */
const STEP = 65_536;

function hasBytes({ url, manifest, matchesOriginal }: KnownArtifact, bytes: Uint8Array): boolean {
  if (manifest.split) return matchesOriginal?.(url, manifest, bytes) === true;
  const fd = openSync(fileURLToPath(url), 'r');
  try {
    const step = Buffer.allocUnsafe(STEP);
    for (let at = 0; at < bytes.length; at += STEP) {
      const part = bytes.subarray(at, at + STEP);
      const size = readSync(fd, step, 0, part.length, manifest.wire.offset + at);
      if (step.compare(part, 0, part.length, 0, size) !== 0) return false;
    }
    return true;
  } finally {
    closeSync(fd);
  }
}

function reportUnused({ url, options }: KnownArtifact, reason: unknown): void {
  reportFallback(options.fallback, fileURLToPath(url), String(reason), 'Deploy the complete build again.');
}

/** Returns the response and, if its module is known, the loaded module. The body of such a response stays unread. */
async function receive(
  source: unknown,
  options: Args,
): Promise<{ response: unknown; loaded?: WebAssembly.Module | undefined }> {
  const response = await source;
  if (bySize.size === 0 || options.some((option) => option !== undefined)) return { response };
  if (!(response instanceof Response) || response.bodyUsed || !response.ok) return { response };
  const fetched = responses.get(response);
  if (fetched) {
    const loaded = await fetched.load();
    if (loaded) await response.body?.cancel();
    return { response, loaded };
  }
  // Responses from the network are never in an artifact. A response that the program created may hold a known file.
  if (response.url !== '' || response.headers.get('content-type') !== WASM_TYPE) return { response };
  const bytes = new Uint8Array(await response.arrayBuffer());
  const loaded = await recognise(bytes, options)?.load();
  return { response: loaded ? response : new Response(bytes, response), loaded };
}

function createKnown(artifact: KnownArtifact): Known {
  const { open, manifest } = artifact;
  /** Clones of a split module are the original module (`split/transfer.ts`), so only unsplit modules are cloned. */
  const isClonable = !manifest.split;
  /** A weak reference, so that a module can be collected when the program drops it. */
  let last: WeakRef<WebAssembly.Module> | undefined;
  let loading: Promise<WebAssembly.Module> | undefined;

  const keep = (loaded: WebAssembly.Module) => {
    if (isClonable) last = new WeakRef(loaded);
    return loaded;
  };
  /** Clones the module: each caller receives its own object, as from the engine, with shared code. */
  const again = () => {
    const loaded = last?.deref();
    return loaded && structuredClone(loaded);
  };
  const load = async () => {
    if (loading && isClonable) return structuredClone(await loading);
    loading = open().load();
    try {
      return keep(await loading);
    } finally {
      loading = undefined;
    }
  };
  const refuse = (error: unknown) => {
    // The option `fallback: 'error'` requests this error.
    if (artifact.options.fallback === 'error') throw error;
    reportUnused(artifact, error);
    return undefined;
  };

  return {
    artifact,
    load: async () => again() ?? load().catch(refuse),
    loadSync() {
      try {
        return again() ?? keep(open().loadSync());
      } catch (error) {
        return refuse(error);
      }
    },
  };
}
