/**
 * The runtime for browsers, which pages ship with: loads a `WebAssembly.Module` from a URL or from bytes in the
 * bundle. It imports nothing from the build. Bundlers leave out the deliveries that a program does not use.
 *
 * Chromium caches compiled code only for an unchanged response from the network, and only if streaming compilation
 * starts with the request. So JavaScript rebuilds a response only if that is necessary.
 */
import {
  type AsyncModuleHandle,
  compileArguments,
  type CompileOptions,
  once,
} from '../shared/module-handle.ts';

export { initializer } from '../shared/module-handle.ts';

export interface FetchOptions extends CompileOptions {
  /** Expected hash of the response, in the format of `fetch`. */
  integrity?: string;
  /** More options for `fetch`. */
  request?: RequestInit;
}

/** A range of a file, in bytes. */
export type ByteRange = readonly [offset: number, size: number];

/** Extracts the module from a response; returns undefined if the response is the module. */
type Unpack = (response: Response) => ReadableStream<Uint8Array<ArrayBuffer>> | undefined;

/** Returns a handle for the module in a plain wasm file: delivery `stream`. */
export function fromFile(url: string, options: FetchOptions = {}): AsyncModuleHandle {
  return fromUrl(url, options);
}

/**
 * Returns a handle for the module in a range of an ELF file; servers that support ranges send only that: delivery
 * `range`.
 */
export function fromRange(url: string, range: ByteRange, options: FetchOptions = {}): AsyncModuleHandle {
  const [offset, size] = range;
  const headers = { range: `bytes=${offset}-${offset + size - 1}` };
  return fromUrl(
    url,
    options,
    (response) => (response.status === 206 ? undefined : extract(response, range)),
    headers,
  );
}

/**
 * Returns a handle for the module in a range of an ELF file, compressed with zlib: delivery `inflate`.
 *
 * @param plain URL of the plain wasm file, for browsers without `DecompressionStream`
 */
export function fromCompressed(
  url: string,
  range: ByteRange,
  plain: string,
  options: FetchOptions = {},
): AsyncModuleHandle {
  if (typeof DecompressionStream === 'undefined') return fromUrl(plain, { ...options, integrity: '' });
  return fromUrl(url, options, (response) =>
    extract(response, range).pipeThrough(new DecompressionStream('deflate')),
  );
}

/** Returns a handle for a module in the bundle itself. */
export function fromBase64(base64: string, options: CompileOptions = {}): AsyncModuleHandle {
  return {
    load: once(() => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      return WebAssembly.compile(...compileArguments(bytes, options));
    }),
  };
}

/**
 * Starts to load before the first call of `load`. Later calls get the same module; if loading failed, they try again.
 */
export function startEarly(handle: AsyncModuleHandle): void {
  handle.load().catch(() => {});
}

/** An HTTP error status, which does not change if the request is repeated. */
class HttpError extends Error {}

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
    if (!response.ok) throw new HttpError(`HTTP ${response.status}`);
    type = response.headers.get('content-type');
    const module = unpack(response);
    // Servers without that MIME type in their configuration send another one, which compileStreaming rejects.
    return compile(module || type !== WASM ? rebuild(module ?? response.body) : response, options);
  };
  // The connection may have failed. Try once more, without the incomplete data that may be in the cache.
  const retry = (error: unknown) => {
    if (error instanceof HttpError || error instanceof WebAssembly.CompileError) throw error;
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

/** Streams a range of the body. */
function extract({ body }: Response, [offset, size]: ByteRange): ReadableStream<Uint8Array<ArrayBuffer>> {
  // Position of the next bytes, relative to the start of the range.
  let position = -offset;
  const reader = body?.getReader();
  return new ReadableStream({
    async pull(controller) {
      // The stream calls `pull` again only after it enqueued something.
      for (let enqueued = 0; enqueued === 0;) {
        const value = (await reader?.read())?.value;
        if (!value) throw new TypeError('the file ends too early');
        const from = Math.max(0, -position);
        const wanted = value.subarray(from, Math.max(from, size - position));
        position += value.length;
        enqueued = wanted.length;
        if (enqueued > 0) controller.enqueue(wanted);
      }
      if (position < size) return;
      controller.close();
      // Read the rest, which is small: browsers do not cache a response that is not read completely.
      while ((await reader?.read())?.done === false);
    },
    cancel: (reason) => reader?.cancel(reason),
  });
}
