/** The modules that this thread has loaded; in the main thread, those of all threads of the process. */
import { createHash } from 'node:crypto';
import { SectionId, readSections } from '../wasm/binary/sections.ts';
import { isCalledByNode } from './node-internals.ts';
import { type ForcedFunction, type ModuleOrigin, recordFiles, type RecordFolder } from './record-folder.ts';
import type { Observer } from './webassembly-hooks.ts';

/** Message of a worker that instantiates a module which another thread has transferred to it. */
export const TRANSFERRED_MODULE = 'transferred';

/**
 * Message of a worker about one of its modules. It carries the WebAssembly.Module, whose code is that of the whole
 * process.
 */
export interface ModuleMessage {
  /** SHA-256 of the wire bytes, hexadecimal. */
  hash: string;
  hasStartFunction: boolean;
  options?: CompileOptions | undefined;
  /** Undefined until the module is compiled. */
  module?: WebAssembly.Module | undefined;
  /** Whether the program has begun to create an instance. */
  instantiated: boolean;
  /**
   * Only for modules with a start function in a worker: one of its functions is optimised. `forced` is the
   * function that the recorder optimised for this.
   */
  ready?: { forced?: ForcedFunction } | undefined;
}

export type WorkerMessage = ModuleMessage | typeof TRANSFERRED_MODULE;

export interface LoadedModule extends ModuleMessage {
  /** Exports of an instance of this thread; a strong reference if the recorder cannot create another instance. */
  exports?: WeakRef<WebAssembly.Exports> | { deref(): WebAssembly.Exports } | undefined;
}

type ChangeListener = (
  change: LoadedModule | typeof TRANSFERRED_MODULE,
  instance?: WebAssembly.Instance,
) => void;

interface CompileOptions {
  builtins?: string[];
  importedStringConstants?: string;
}

export class LoadedModules implements Observer {
  readonly byHash = new Map<string, LoadedModule>();
  /** Whether the program instantiated modules from another thread. It is unknown which modules those are. */
  hasTransferredModules = false;
  readonly #byModule = new WeakMap<WebAssembly.Module, LoadedModule>();
  readonly #folder: RecordFolder;
  readonly #thread: number;
  readonly #changed: ChangeListener;

  /**
   * @param thread `threadId`
   * @param changed called with each module whose state has changed
   */
  constructor(folder: RecordFolder, thread: number, changed: ChangeListener = () => undefined) {
    this.#folder = folder;
    this.#thread = thread;
    this.#changed = changed;
  }

  /** Saves bytes that the engine is about to compile. */
  add(bytes: Uint8Array, origin: ModuleOrigin, options?: unknown): LoadedModule {
    const hash = createHash('sha256').update(bytes).digest('hex');
    const present = this.byHash.get(hash);
    const loaded = recordFiles.loaded(process.pid, hash);
    const wire = recordFiles.wire(hash);
    if (!this.#folder.has(wire)) this.#folder.write(wire, bytes, this.#thread);
    if (Object.keys(origin).length > 0 || !this.#folder.has(loaded)) {
      this.#folder.write(loaded, JSON.stringify(origin), this.#thread);
    }
    if (present) return present;
    const entry: LoadedModule = {
      hash,
      hasStartFunction: hasStartSection(bytes),
      options: pickCompileOptions(options),
      instantiated: false,
    };
    this.byHash.set(hash, entry);
    this.#changed(entry);
    return entry;
  }

  /** Merges what a worker has sent. */
  receive(message: WorkerMessage): void {
    if (message === TRANSFERRED_MODULE) {
      this.hasTransferredModules = true;
      return;
    }
    const entry = this.byHash.get(message.hash);
    if (entry) {
      entry.module ??= message.module;
      entry.instantiated ||= message.instantiated;
      entry.ready ??= message.ready;
    } else {
      this.byHash.set(message.hash, { ...message });
    }
  }

  compiling(
    bytes: Uint8Array,
    options: unknown,
    { url, instantiates }: { url?: string; instantiates: boolean },
  ): object | undefined {
    try {
      if (isCalledByNode()) return undefined;
      const entry = this.add(bytes, url === undefined ? {} : { url }, options);
      if (instantiates && !entry.instantiated) {
        entry.instantiated = true;
        this.#changed(entry);
      }
      return entry;
    } catch {
      // No space or no permission: the command reports that nothing was recorded.
      return undefined;
    }
  }

  compiled(compilation: object, module: WebAssembly.Module): void {
    const entry = compilation as LoadedModule;
    this.#byModule.set(module, entry);
    if (entry.module) return;
    entry.module = module;
    this.#changed(entry);
  }

  instantiating(module: WebAssembly.Module): void {
    const entry = this.#byModule.get(module);
    if (!entry && !this.hasTransferredModules) {
      this.hasTransferredModules = true;
      this.#changed(TRANSFERRED_MODULE);
    }
    if (!entry || entry.instantiated) return;
    entry.instantiated = true;
    this.#changed(entry);
  }

  instantiated(module: WebAssembly.Module, instance: WebAssembly.Instance): void {
    const entry = this.#byModule.get(module);
    if (!entry || entry.exports?.deref()) return;
    const { exports } = instance;
    entry.exports = entry.hasStartFunction ? { deref: () => exports } : new WeakRef(exports);
    this.#changed(entry, instance);
  }
}

function hasStartSection(bytes: Uint8Array): boolean {
  try {
    return readSections(bytes).sections.some(({ id }) => id === SectionId.Start);
  } catch {
    // The bytes are no module, or an unreadable one: assume a start function, which is the safe answer.
    return true;
  }
}

/** Returns the options that change the compiled code, in a form that `postMessage` can clone. */
function pickCompileOptions(options: unknown): CompileOptions | undefined {
  if (typeof options !== 'object' || options === null) return undefined;
  const { builtins, importedStringConstants } = options as CompileOptions;
  return {
    ...(Array.isArray(builtins) && { builtins: builtins.map(String) }),
    ...(typeof importedStringConstants === 'string' && { importedStringConstants }),
  };
}
