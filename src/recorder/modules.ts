/** What this thread, or in the main thread this process, knows of the modules that were loaded. */
import { createHash } from 'node:crypto';
import { SectionId, readSections } from '../wasm/binary/sections.ts';
import { type ForcedFunction, type LoadedModule, names, type RecordFolder } from './folder.ts';
import type { Observer } from './hooks.ts';
import { isNodesOwn } from './nodes-own.ts';

/** Instead of news of a module: somebody instantiates one that another thread has sent. */
export const FOREIGN = 'foreign';

/** What workers tell the main thread. WebAssembly.Module can be sent: its code is that of the whole process. */
export interface ModuleNews {
  /** SHA-256 of the wire bytes, hexadecimal. */
  hash: string;
  /** Whether it has a start function. */
  start: boolean;
  /** Compile options. */
  options?: CompileOptions | undefined;
  /** Undefined until it is compiled. */
  module?: WebAssembly.Module | undefined;
  /** Whether the program has begun to make an instance. */
  instantiated: boolean;
  /** Of a module with a start function, in a worker: whether a function is optimised, and which one for the purpose. */
  ready?: { forced?: ForcedFunction } | undefined;
}

export interface LoadedWasm extends ModuleNews {
  /** Exports of an instance of this thread; strong where no other one can be made. */
  exports?: WeakRef<WebAssembly.Exports> | { deref(): WebAssembly.Exports } | undefined;
}

interface CompileOptions {
  builtins?: string[];
  importedStringConstants?: string;
}

export class Modules implements Observer {
  readonly byHash = new Map<string, LoadedWasm>();
  /** Whether modules that another thread has sent were instantiated: which ones cannot be told. */
  foreign = false;
  readonly #byModule = new WeakMap<WebAssembly.Module, LoadedWasm>();
  readonly #folder: RecordFolder;
  readonly #thread: number;
  readonly #changed: (news: LoadedWasm | typeof FOREIGN, instance?: WebAssembly.Instance) => void;

  /**
   * @param thread `threadId`
   * @param changed told whenever something became known
   */
  constructor(
    folder: RecordFolder,
    thread: number,
    changed: (news: LoadedWasm | typeof FOREIGN, instance?: WebAssembly.Instance) => void = () => undefined,
  ) {
    this.#folder = folder;
    this.#thread = thread;
    this.#changed = changed;
  }

  /** Bytes that are going to be compiled. Writes them down. */
  add(bytes: Uint8Array, known: LoadedModule, options?: unknown): LoadedWasm {
    const hash = createHash('sha256').update(bytes).digest('hex');
    const present = this.byHash.get(hash);
    const loaded = names.loaded(process.pid, hash);
    const wire = names.wire(hash);
    if (!this.#folder.has(wire)) this.#folder.write(wire, bytes, this.#thread);
    if (Object.keys(known).length > 0 || !this.#folder.has(loaded)) {
      this.#folder.write(loaded, JSON.stringify(known), this.#thread);
    }
    if (present) return present;
    const entry: LoadedWasm = {
      hash,
      start: hasStart(bytes),
      options: pickOptions(options),
      instantiated: false,
    };
    this.byHash.set(hash, entry);
    this.#changed(entry);
    return entry;
  }

  /** What a worker told. */
  learn(news: ModuleNews | typeof FOREIGN): void {
    if (news === FOREIGN) {
      this.foreign = true;
      return;
    }
    const entry = this.byHash.get(news.hash);
    if (entry) {
      entry.module ??= news.module;
      entry.instantiated ||= news.instantiated;
      entry.ready ??= news.ready;
    } else {
      this.byHash.set(news.hash, { ...news });
    }
  }

  compiling(
    bytes: Uint8Array,
    options: unknown,
    { url, instantiates }: { url?: string; instantiates: boolean },
  ): object | undefined {
    try {
      if (isNodesOwn()) return undefined;
      const entry = this.add(bytes, url === undefined ? {} : { url }, options);
      if (instantiates && !entry.instantiated) {
        entry.instantiated = true;
        this.#changed(entry);
      }
      return entry;
    } catch {
      // No space, no permission: the command says that nothing was recorded.
      return undefined;
    }
  }

  compiled(compilation: object, module: WebAssembly.Module): void {
    const entry = compilation as LoadedWasm;
    this.#byModule.set(module, entry);
    if (entry.module) return;
    entry.module = module;
    this.#changed(entry);
  }

  instantiating(module: WebAssembly.Module): void {
    const entry = this.#byModule.get(module);
    if (!entry && !this.foreign) {
      this.foreign = true;
      this.#changed(FOREIGN);
    }
    if (!entry || entry.instantiated) return;
    entry.instantiated = true;
    this.#changed(entry);
  }

  instantiated(module: WebAssembly.Module, instance: WebAssembly.Instance): void {
    const entry = this.#byModule.get(module);
    if (!entry || entry.exports?.deref()) return;
    const { exports } = instance;
    entry.exports = entry.start ? { deref: () => exports } : new WeakRef(exports);
    this.#changed(entry, instance);
  }
}

function hasStart(bytes: Uint8Array): boolean {
  try {
    return readSections(bytes).sections.some(({ id }) => id === SectionId.Start);
  } catch {
    // No module, or one that cannot be read: the safe answer.
    return true;
  }
}

/** Those that change what is compiled, in a form that can be sent. */
function pickOptions(options: unknown): CompileOptions | undefined {
  if (typeof options !== 'object' || options === null) return undefined;
  const { builtins, importedStringConstants } = options as CompileOptions;
  return {
    ...(Array.isArray(builtins) && { builtins: builtins.map(String) }),
    ...(typeof importedStringConstants === 'string' && { importedStringConstants }),
  };
}
