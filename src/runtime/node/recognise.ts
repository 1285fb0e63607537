/**
 * What stands for `WebAssembly` and `fetch` in code that loads wasm files by itself, where the build has found such a file:
 * bytes that are those of an artifact become its module. Everything else goes to the engine as it came.
 */
import { builtin } from './builtin.ts';
import { getCrc32 } from './crc32.ts';
import { type FallbackMode, reportFallback } from './fallback.ts';
import type { ArtifactManifest, SegmentEntry } from '../shared/manifest.ts';
import type { ModuleHandle } from './steps.ts';

const { closeSync, openSync, readFile, readSync } = builtin('node:fs');
const { dirname: folderOf, isAbsolute, join, normalize } = builtin('node:path');
const { fileURLToPath } = builtin('node:url');

/** The artifact of a file. */
export interface KnownArtifact {
  /** File URL. */
  url: string;
  manifest: ArtifactManifest;
  options: { fallback: FallbackMode };
  /** A new loader: what it gives is not kept here for longer than the program keeps it. */
  open: () => ModuleHandle;
  /** Of split.ts, where the artifact may be that of a split module. */
  matchesOriginal?: (url: string, manifest: ArtifactManifest, bytes: Uint8Array) => boolean;
  /** Of link.ts, with it. */
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
   * What the program has made of the file's name: where that is the place beside the code at which the file was before the
   * build, the place at which it is now.
   *
   * @param from file URL of the code, or path of its folder
   * @param name path of the file, relative to that
   */
  locate: <Value>(value: Value, from: string, name: string) => Value;
  /** The folder of what a file URL names; a path stays. */
  dirname: (from: string) => string;
  /** Node's own takes no file URLs. */
  fetch: typeof fetch;
}

/** Of the engine's functions, which take more than TypeScript's library knows. */
type Args = readonly unknown[];

type Instantiated = WebAssembly.WebAssemblyInstantiatedSource;

/** Gives nothing where the engine should compile. */
interface Known {
  artifact: KnownArtifact;
  load: () => Promise<WebAssembly.Module | undefined>;
  loadSync: () => WebAssembly.Module | undefined;
}

/** By their file URLs. */
const files = new Map<string, { path: string; known: Known | undefined }>();

// These two are the same for all copies of this runtime in a thread.

/** By bytes of the module. */
let bySize = new Map<number, Known[]>();

/** What `fetch` has given for a file, and nobody has read so far. */
let responses = new WeakMap<object, Known>();

/** Where the code of a build looks for functions of `WebAssembly` first. */
const NAME = Symbol.for('wasm-precompile.glue');

/** @param artifact undefined for files that have no native code */
export function register(url: string, base: string, artifact?: KnownArtifact): KnownFile {
  const path = fileURLToPath(url);
  // Before the program gets hold of a function that makes instances.
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
        // A URL that is none.
      }
      return value;
    },
  };
}

function publish(known: Known): void {
  const own = { bySize, responses, Module, compile, instantiate, compileStreaming, instantiateStreaming };
  const shared = ((globalThis as Record<symbol, unknown>)[NAME] ??= own) as typeof own;
  ({ bySize, responses } = shared);
  const { size } = wholeOf(known.artifact.manifest);
  bySize.set(size, [...(bySize.get(size) ?? []), known]);
}

/** The module as the program has it. */
function wholeOf({ wire, split }: ArtifactManifest): Pick<SegmentEntry, 'size' | 'crc32'> {
  return split?.original ?? wire;
}

function dirname(from: string): string {
  return from.startsWith('file:') ? folderOf(fileURLToPath(from)) : from;
}

/** With `new`, as without it: gives a genuine module. */
function Module(...args: Args): WebAssembly.Module {
  const [source, ...options] = args;
  return recognise(source, options)?.loadSync() ?? construct(args);
}

async function compile(...args: Args): Promise<WebAssembly.Module> {
  const [source, ...options] = args;
  // Without waiting: the program may change its bytes as soon as it is its turn again.
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
    // Nothing is read that nobody asks for.
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

/** The engine's own, with all that the program gave it. */
function call<Result>(
  name: 'compile' | 'compileStreaming' | 'instantiate' | 'instantiateStreaming',
  args: Args,
): Promise<Result> {
  return Reflect.apply(WebAssembly[name], WebAssembly, args) as Promise<Result>;
}

function construct(args: Args): WebAssembly.Module {
  return Reflect.construct(WebAssembly.Module, args) as WebAssembly.Module;
}

/** The artifact with these very bytes. Reads as much of it as is equal. */
function recognise(source: unknown, options: Args): Known | undefined {
  if (options.some((option) => option !== undefined)) return undefined;
  const bytes = viewOf(source);
  const candidates = bytes && bySize.get(bytes.length);
  if (!candidates) return undefined;
  for (const known of candidates) {
    const { artifact } = known;
    let why: unknown;
    try {
      if (hasBytes(artifact, bytes)) return known;
      if (getCrc32()?.(bytes) === wholeOf(artifact.manifest).crc32) why = 'it holds another module';
    } catch (error) {
      why = error;
    }
    if (why !== undefined) reportUnused(artifact, why);
  }
  return undefined;
}

/** Nothing of memory that other threads can change meanwhile, and no DataView: older engines refuse it. */
function viewOf(source: unknown): Uint8Array | undefined {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (!ArrayBuffer.isView(source) || source instanceof DataView) return undefined;
  if (!(source.buffer instanceof ArrayBuffer)) return undefined;
  return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}

/** Bytes: as much as a processor's cache holds together with what it is compared with. */
const STEP = 65_536;

function hasBytes({ url, manifest, matchesOriginal: isWhole }: KnownArtifact, bytes: Uint8Array): boolean {
  if (manifest.split) return isWhole?.(url, manifest, bytes) === true;
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

function reportUnused({ url, options }: KnownArtifact, why: unknown): void {
  reportFallback(options.fallback, fileURLToPath(url), String(why), 'Deploy one whole build again.');
}

/** A response, and the module that is in it, where that is known: then nobody need read it. */
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
  // What comes from the network is not in an artifact. What the program has made itself may be a file.
  if (response.url !== '' || response.headers.get('content-type') !== WASM_TYPE) return { response };
  const bytes = new Uint8Array(await response.arrayBuffer());
  const loaded = await recognise(bytes, options)?.load();
  return { response: loaded ? response : new Response(bytes, response), loaded };
}

function createKnown(artifact: KnownArtifact): Known {
  const { open, manifest } = artifact;
  /** A clone of a primary is the whole module (travel.ts). */
  const isCloned = !manifest.split;
  /** Not kept alive for a program that is done with it. */
  let last: WeakRef<WebAssembly.Module> | undefined;
  let loading: Promise<WebAssembly.Module> | undefined;

  const keep = (loaded: WebAssembly.Module) => {
    if (isCloned) last = new WeakRef(loaded);
    return loaded;
  };
  /** The engine gives each caller an object of its own, with the same code behind it. */
  const again = () => {
    const loaded = last?.deref();
    return loaded && structuredClone(loaded);
  };
  const load = async () => {
    if (loading && isCloned) return structuredClone(await loading);
    loading = open().load();
    try {
      return keep(await loading);
    } finally {
      loading = undefined;
    }
  };
  const refuse = (error: unknown) => {
    // An error that the user has asked for.
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
