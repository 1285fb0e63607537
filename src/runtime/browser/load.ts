/**
 * What ships to the users' users, for browsers: gives a `WebAssembly.Module` from a URL or from bytes in the
 * bundle. Nothing here imports from the build side. Bundlers leave out the deliveries that a program does not use.
 *
 * Chromium keeps code for later visits only of responses that come from the network as they are, and only where
 * compiling begins with the request: so nothing is built in JavaScript that need not be.
 */
import {
  type AsyncModuleHandle,
  compileArguments,
  type CompileOptions,
  once,
} from '../shared/module-handle.ts';

export { initializer } from '../shared/module-handle.ts';

export interface FetchOptions extends CompileOptions {
  /** What the bytes of the response must be, as `fetch` takes it. */
  integrity?: string;
  /** What else `fetch` is told. */
  request?: RequestInit;
}

/** A part of a file, in bytes. */
export type ByteRange = readonly [offset: number, size: number];

/** The module in a response; undefined where the response is the module. */
type Unpack = (response: Response) => ReadableStream<Uint8Array<ArrayBuffer>> | undefined;

/** A loader for a plain wasm file: delivery `stream`. */
export function fromFile(url: string, options: FetchOptions = {}): AsyncModuleHandle {
  return fromUrl(url, options);
}

/** A loader for a part of an ELF file, which servers that know ranges send alone: delivery `range`. */
export function fromRange(url: string, part: ByteRange, options: FetchOptions = {}): AsyncModuleHandle {
  const [offset, size] = part;
  const headers = { range: `bytes=${offset}-${offset + size - 1}` };
  return fromUrl(
    url,
    options,
    (response) => (response.status === 206 ? undefined : cut(response, part)),
    headers,
  );
}

/**
 * A loader for a part of an ELF file that zlib has compressed: delivery `inflate`.
 *
 * @param plain URL of the module as a file of its own, for browsers that cannot inflate
 */
export function fromCompressed(
  url: string,
  part: ByteRange,
  plain: string,
  options: FetchOptions = {},
): AsyncModuleHandle {
  if (typeof DecompressionStream === 'undefined') return fromUrl(plain, { ...options, integrity: '' });
  return fromUrl(url, options, (response) =>
    cut(response, part).pipeThrough(new DecompressionStream('deflate')),
  );
}

/** A loader for a module in the bundle itself. */
export function fromBase64(base64: string, options: CompileOptions = {}): AsyncModuleHandle {
  return {
    load: once(() => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      return WebAssembly.compile(...compileArguments(bytes, options));
    }),
  };
}

/** Begins to load before anybody asks. Who asks later gets this module, or a new attempt where it failed. */
export function startEarly(loader: AsyncModuleHandle): void {
  loader.load().catch(() => {});
}

/** What a server says, and asking again will not change. */
class Refusal extends Error {}

function fromUrl(
  url: string,
  options: FetchOptions,
  unpack: Unpack = () => undefined,
  headers: Record<string, string> = {},
): AsyncModuleHandle {
  let type: string | null;
  const attempt = async (cache: RequestCache) => {
    type = WASM;
    const response = await fetch(url, {
      headers,
      cache,
      integrity: options.integrity ?? '',
      ...options.request,
    });
    if (!response.ok) throw new Refusal(`HTTP ${response.status}`);
    type = response.headers.get('content-type');
    const module = unpack(response);
    // Servers that do not know the type answer with another one, which compileStreaming refuses.
    return compile(module || type !== WASM ? rebuild(module ?? response.body) : response, options);
  };
  // A connection may break: once more, without what it may have left in the cache.
  const retry = (error: unknown) => {
    if (error instanceof Refusal || error instanceof WebAssembly.CompileError) throw error;
    return attempt('reload');
  };
  const fail = (cause: Error) => {
    const answer = type === WASM ? '' : ` (the server answered with the type ${type})`;
    throw new Error(`${url}: cannot load this wasm module: ${cause.message}${answer}`, { cause });
  };
  return { load: once(() => attempt('default').catch(retry).catch(fail)) };
}

const WASM = 'application/wasm';

function rebuild(body: ReadableStream<Uint8Array<ArrayBuffer>> | null): Response {
  return new Response(body, { headers: { 'content-type': WASM } });
}

async function compile(response: Response, options: CompileOptions): Promise<WebAssembly.Module> {
  return 'compileStreaming' in WebAssembly
    ? WebAssembly.compileStreaming(...compileArguments(response, options))
    : (WebAssembly as typeof globalThis.WebAssembly).compile(
        ...compileArguments(await response.arrayBuffer(), options),
      );
}

/** A part of a body, as it comes in. */
function cut({ body }: Response, [offset, size]: ByteRange): ReadableStream<Uint8Array<ArrayBuffer>> {
  // Of the next bytes, from the start of the part.
  let position = -offset;
  const reader = body?.getReader();
  return new ReadableStream({
    async pull(controller) {
      // It is not called again where it has given nothing.
      for (let given = 0; given === 0;) {
        const value = (await reader?.read())?.value;
        if (!value) throw new TypeError('the file ends too early');
        const from = Math.max(0, -position);
        const wanted = value.subarray(from, Math.max(from, size - position));
        position += value.length;
        given = wanted.length;
        if (given > 0) controller.enqueue(wanted);
      }
      if (position < size) return;
      controller.close();
      // Little follows, and what is not read to its end is not cached.
      while ((await reader?.read())?.done === false);
    },
    cancel: (reason) => reader?.cancel(reason),
  });
}
