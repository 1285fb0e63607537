/**
 * Demand loading in browsers: the primary of a split module (src/wasm/split/split.ts) is loaded as any other module. Once it has
 * an instance, the secondaries are fetched one after another with low priority, and compiled in the background. A call that
 * comes earlier than its part loads that at once, which blocks: no other way lets a call wait.
 */
import { adopt, type LoadSecondary } from '../shared/link.ts';
import type { AsyncModuleHandle } from '../shared/module-handle.ts';
import type { ByteRange } from './load.ts';

/** A secondary. */
export interface SecondarySource {
  /** Loads it in the background. */
  load: (request: RequestInit) => AsyncModuleHandle;
  /** Where it is as it is, for calls that cannot wait. */
  url: string;
  /** Where it is in a file. */
  part?: ByteRange;
  /** Its SHA-256 in base64, where that is to be checked. */
  sha256?: string;
}

export interface SplitHandle extends AsyncModuleHandle {
  /** The module as it was before it was split. */
  whole: AsyncModuleHandle;
}

export interface SplitLoadOptions {
  /** In base64; only where parts have one. */
  sha256?: (bytes: Uint8Array) => string;
  /** Says in the console which calls had to wait. */
  warn?: boolean;
}

/** Of the entries in the page's performance timeline, one for each first call of a function in a part. */
const ENTRY = 'wasm-precompile: cold call';

/**
 * A module with a function that calls by `return_call_indirect` through its second table, and more than 4 KiB: what older browsers
 * do not have, or do not compile at once on a page's main thread.
 *
 *   (module (table 0 funcref) (table 0 funcref) (func i32.const 0 return_call_indirect 1 (type 0)))
 */
// prettier-ignore
const PROBE = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 4, 7, 2, 112, 0, 0, 112, 0, 0, 10, 9, 1, 7, 0, 65, 0, 19, 0, 1, 11,
  // A custom section without a name, of 8 KiB.
  0, 128, 64,
];

/**
 * A loader of a split module.
 *
 * @param whole for browsers that cannot do with parts, and for whoever needs the module itself
 */
export function fromSplit(
  primary: AsyncModuleHandle,
  whole: AsyncModuleHandle,
  parts: readonly SecondarySource[],
  options: SplitLoadOptions = {},
): SplitHandle {
  if (!canSplit()) return { load: whole.load, whole };
  const adopted = new WeakSet<WebAssembly.Module>();
  const load = async () => {
    const module = await primary.load();
    if (!adopted.has(module)) adoptParts(module, parts, options);
    adopted.add(module);
    return module;
  };
  return { load, whole };
}

/** Chromium's; TypeScript's library does not have it. */
interface FeaturePolicy {
  allowsFeature(feature: string): boolean;
}

function canSplit(): boolean {
  try {
    // A page may forbid what a call that cannot wait needs.
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

function adoptParts(
  primary: WebAssembly.Module,
  parts: readonly SecondarySource[],
  { sha256, warn }: SplitLoadOptions,
): void {
  const modules: WebAssembly.Module[] = [];
  let begun = false;
  /** What is on its way in the background. */
  let coming: { index: number; url: string; abort: AbortController } | undefined;

  const loadAll = async () => {
    for (const [index, { url, load }] of parts.entries()) {
      if (modules[index]) continue;
      const abort = new AbortController();
      coming = { index, url, abort };
      try {
        // One after another: there is no hurry, and the page may want the network.
        // oxlint-disable-next-line no-await-in-loop
        modules[index] = await load({ priority: 'low', signal: abort.signal }).load();
      } catch {
        // The call will tell.
      }
    }
    coming = undefined;
  };

  const load: LoadSecondary = (number, calledFunction) => {
    const start = performance.now();
    const part = parts[number - 1];
    if (!part) throw new RangeError(`there is no part ${number}`);
    const { url } = part;
    let module = modules[number - 1];
    const waited = !module;
    if (!module) {
      module = compileNow(part, coming?.url === url, sha256);
      modules[number - 1] = module;
      if (coming?.index === number - 1) coming.abort.abort();
    }
    performance.measure(ENTRY, { start, detail: { url, part: number, function: calledFunction, waited } });
    if (waited && warn) {
      console.warn(
        `${url}: function ${calledFunction} was called before its part of the module was there, and has blocked this thread until it was. ` +
          'Put what such a call runs into the startup profile: wasm-precompile train --merge',
      );
    }
    return module;
  };

  const instantiated = () => {
    // Not before what is waiting for the instance.
    if (!begun) setTimeout(loadAll);
    begun = true;
  };
  adopt(primary, { load, instantiated });
}

/** @param busy whether the file is being loaded in the background */
function compileNow(
  part: SecondarySource,
  busy: boolean,
  hash: SplitLoadOptions['sha256'],
): WebAssembly.Module {
  try {
    const bytes = fetchNow(part, busy);
    if (hash && hash(bytes) !== part.sha256) throw new Error('its content is not that of the build');
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(`${part.url}: cannot load this part of a wasm module: ${message}`, { cause });
  }
}

/**
 * Chromium has a request wait for another one for the same file: for 20 s, since that one goes on only when the call has returned.
 * So it gets another URL then.
 */
function fetchNow({ url, part }: SecondarySource, busy: boolean): Uint8Array<ArrayBuffer> {
  try {
    return cut(request(busy ? `${url}${url.includes('?') ? '&' : '?'}now` : url, part), part);
  } catch (error) {
    // A connection may break, and a host may not like the other URL: once more.
    if (!busy && !(error instanceof DOMException)) throw error;
    return cut(request(url, part), part);
  }
}

function request(url: string, part: ByteRange | undefined): XMLHttpRequest {
  const get = new XMLHttpRequest();
  get.open('GET', url, false);
  if (part) get.setRequestHeader('range', `bytes=${part[0]}-${part[0] + part[1] - 1}`);
  // Pages get no bytes while they wait, but text.
  if (typeof document === 'undefined') get.responseType = 'arraybuffer';
  else get.overrideMimeType('text/plain; charset=x-user-defined');
  get.send();
  if (get.status !== 200 && get.status !== 206) throw new Error(`HTTP ${get.status}`);
  return get;
}

/** The bytes of a response: of the part where the server has sent all of the file. */
function cut(get: XMLHttpRequest, part: ByteRange | undefined): Uint8Array<ArrayBuffer> {
  const bytes =
    get.responseType === 'arraybuffer'
      ? new Uint8Array(get.response as ArrayBuffer)
      : toBytes(get.responseText);
  return part && get.status === 200 ? bytes.subarray(part[0], part[0] + part[1]) : bytes;
}

/** Of text in x-user-defined, whose characters have the bytes as their low ones. */
function toBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
