/**
 * Loads split modules in browsers (src/wasm/split/split.ts). The primary module is loaded like any other module. When
 * it has an instance, the secondary modules are fetched one after another with low priority, and compiled in the
 * background. A call of a function whose secondary is not there yet loads it synchronously and blocks, because a call
 * cannot wait in any other way.
 */
import { registerPrimary, type LoadSecondary } from '../shared/link.ts';
import type { AsyncModuleHandle } from '../shared/module-handle.ts';
import type { ByteRange } from './load.ts';

/** Where to load a secondary module from. */
export interface SecondarySource {
  /** Returns a handle that loads the module in the background. */
  load: (request: RequestInit) => AsyncModuleHandle;
  /** URL of the uncompressed module, for synchronous loading. */
  url: string;
  /** The range of the file that is the module. */
  range?: ByteRange;
  /** Its SHA-256 in base64, if it must be checked. */
  sha256?: string;
}

export interface SplitHandle extends AsyncModuleHandle {
  /** The module as it was before it was split. */
  original: AsyncModuleHandle;
}

export interface SplitLoadOptions {
  /** Computes the hash in base64; needed only if secondaries have one. */
  sha256?: (bytes: Uint8Array) => string;
  /** Prints a console warning for each call that blocked. */
  warn?: boolean;
}

/** Name of the entries in the page's performance timeline: one for each first call of a function in a secondary. */
const ENTRY_NAME = 'wasm-precompile: cold call';

/**
 * A module of more than 4 KiB with a function that calls by `return_call_indirect` through its second table. Older
 * browsers do not support that, or do not compile it synchronously on a page's main thread.
 *
 *   (module (table 0 funcref) (table 0 funcref) (func i32.const 0 return_call_indirect 1 (type 0)))
 */
// prettier-ignore
const PROBE = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 4, 7, 2, 112, 0, 0, 112, 0, 0, 10, 9, 1, 7, 0, 65, 0, 19, 0, 1, 11,
  // A custom section of 8 KiB with an empty name.
  0, 128, 64,
];

/**
 * Returns a handle for a split module.
 *
 * @param original for browsers that cannot load secondaries, and for user code that needs the original module
 */
export function fromSplit(
  primary: AsyncModuleHandle,
  original: AsyncModuleHandle,
  secondaries: readonly SecondarySource[],
  options: SplitLoadOptions = {},
): SplitHandle {
  if (!canLoadSplit()) return { load: original.load, original };
  const registered = new WeakSet<WebAssembly.Module>();
  const load = async () => {
    const module = await primary.load();
    if (!registered.has(module)) register(module, secondaries, options);
    registered.add(module);
    return module;
  };
  return { load, original };
}

/** Chromium only; missing in TypeScript's library. */
interface FeaturePolicy {
  allowsFeature(feature: string): boolean;
}

function canLoadSplit(): boolean {
  try {
    // A page may forbid synchronous requests.
    const { featurePolicy } = (globalThis.document ?? {}) as { featurePolicy?: FeaturePolicy };
    if (featurePolicy?.allowsFeature('sync-xhr') === false) return false;
    const probe = new Uint8Array(PROBE.length + 8192);
    probe.set(PROBE);
    return (
      typeof XMLHttpRequest === 'function' && new WebAssembly.Module(probe) instanceof WebAssembly.Module
    );
  } catch {
    return false;
  }
}

function register(
  primary: WebAssembly.Module,
  secondaries: readonly SecondarySource[],
  { sha256, warn }: SplitLoadOptions,
): void {
  const modules: WebAssembly.Module[] = [];
  let isBackgroundStarted = false;
  /** The secondary that is being loaded in the background. */
  let loading: { index: number; url: string; abort: AbortController } | undefined;

  const loadAll = async () => {
    for (const [index, { url, load }] of secondaries.entries()) {
      if (modules[index]) continue;
      const abort = new AbortController();
      loading = { index, url, abort };
      try {
        // One after another: there is no hurry, and the page may want the network.
        // oxlint-disable-next-line no-await-in-loop
        modules[index] = await load({ priority: 'low', signal: abort.signal }).load();
      } catch {
        // A call of a function in it tries again and throws the error.
      }
    }
    loading = undefined;
  };

  const loadSecondary: LoadSecondary = (number, calledFunction) => {
    const start = performance.now();
    const secondary = secondaries[number - 1];
    if (!secondary) throw new RangeError(`there is no secondary module ${number}`);
    const { url } = secondary;
    let module = modules[number - 1];
    const waited = !module;
    if (!module) {
      module = compileSync(secondary, loading?.url === url, sha256);
      modules[number - 1] = module;
      if (loading?.index === number - 1) loading.abort.abort();
    }
    performance.measure(ENTRY_NAME, {
      start,
      detail: { url, secondary: number, function: calledFunction, waited },
    });
    if (waited && warn) {
      console.warn(
        `${url}: function ${calledFunction} was called before its secondary module was loaded, and blocked this thread. ` +
          'Add the functions that such a call runs to the startup profile: wasm-precompile train --merge',
      );
    }
    return module;
  };

  const onInstantiated = () => {
    // After the code that awaits the instance.
    if (!isBackgroundStarted) setTimeout(loadAll);
    isBackgroundStarted = true;
  };
  registerPrimary(primary, { loadSecondary, onInstantiated });
}

/** @param isLoading whether the same file is being loaded in the background */
function compileSync(
  secondary: SecondarySource,
  isLoading: boolean,
  hash: SplitLoadOptions['sha256'],
): WebAssembly.Module {
  try {
    const bytes = fetchSync(secondary, isLoading);
    if (hash && hash(bytes) !== secondary.sha256) throw new Error('its content is not that of the build');
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(`${secondary.url}: cannot load this secondary module: ${message}`, { cause });
  }
}

/**
 * In Chromium, a request blocks for 20 s while another one for the same file is active, because that one continues
 * only when the call has returned. So this request uses another URL then.
 */
function fetchSync({ url, range }: SecondarySource, isLoading: boolean): Uint8Array<ArrayBuffer> {
  try {
    return extract(request(isLoading ? `${url}${url.includes('?') ? '&' : '?'}now` : url, range), range);
  } catch (error) {
    // Try once more: the connection may have failed, or the host may reject the other URL.
    if (!isLoading && !(error instanceof DOMException)) throw error;
    return extract(request(url, range), range);
  }
}

function request(url: string, range: ByteRange | undefined): XMLHttpRequest {
  const get = new XMLHttpRequest();
  get.open('GET', url, false);
  if (range) get.setRequestHeader('range', `bytes=${range[0]}-${range[0] + range[1] - 1}`);
  // The synchronous requests of a page can return text only, not bytes.
  if (typeof document === 'undefined') get.responseType = 'arraybuffer';
  else get.overrideMimeType('text/plain; charset=x-user-defined');
  get.send();
  if (get.status !== 200 && get.status !== 206) throw new Error(`HTTP ${get.status}`);
  return get;
}

/** Returns the bytes of a response, or of the range in it if the server ignored the range and sent the entire file. */
function extract(get: XMLHttpRequest, range: ByteRange | undefined): Uint8Array<ArrayBuffer> {
  const bytes =
    get.responseType === 'arraybuffer'
      ? new Uint8Array(get.response as ArrayBuffer)
      : decodeText(get.responseText);
  return range && get.status === 200 ? bytes.subarray(range[0], range[0] + range[1]) : bytes;
}

/** Decodes x-user-defined text: the low byte of each character is a byte of the response. */
function decodeText(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
