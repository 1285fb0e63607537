/** Records how the modules of one thread start: when each step begins and ends. */
import { CHECKSUM_MODULE } from '../runtime/node/checksum.ts';
import type { ObserveStep } from '../runtime/node/preload-hooks.ts';
import { TRAMPOLINE_MODULE } from '../runtime/shared/link.ts';
import { readModuleName } from '../wasm/binary/name-section.ts';
import { readSections } from '../wasm/binary/sections.ts';
import { unwrapImports, watchFirstCall } from './first-call.ts';
import { isCalledByNode } from './node-internals.ts';
import type { ObservedStartup, ObservedStep } from './record-folder.ts';
import type { Observer } from './webassembly-hooks.ts';

/** Bytes that are being compiled. */
interface Compilation extends Pick<ObservedStartup, 'name' | 'url' | 'wireSize' | 'combined'> {
  start: number;
}

/** Modules that the plugin's runtime compiles for its own use. */
const OWN_MODULES = [CHECKSUM_MODULE, TRAMPOLINE_MODULE];

const now = performance.now.bind(performance);

/** Times are in milliseconds since the thread started. */
export class StartupObserver implements Observer {
  readonly #all = new Set<ObservedStartup>();
  readonly #byModule = new WeakMap<WebAssembly.Module, ObservedStartup>();
  /** When the program began to instantiate each module. */
  readonly #instantiating = new WeakMap<ObservedStartup, number>();
  readonly #changed: () => void;

  /** @param changed called after each step */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get all(): ObservedStartup[] {
    return [...this.#all];
  }

  /** Called when the plugin's runtime begins to load a file. */
  observe(file: string): ObserveStep {
    const startup: ObservedStartup = { file, mode: 'baseline', steps: [] };
    let last = now();
    return (name, module, mode) => {
      const end = now();
      startup.steps.push({ name, start: last, end });
      last = end;
      if (!module) return;
      // The runtime passes another value for a file without native code, which is the baseline.
      if (mode === 'precompiled' || mode === 'compiled') startup.mode = mode;
      // If the runtime compiled the wire bytes, the hooks on `WebAssembly` have recorded that as well.
      const compiled = this.#byModule.get(module);
      if (compiled) this.#all.delete(compiled);
      this.#add(module, startup);
    };
  }

  compiling(
    bytes: Uint8Array,
    _options: unknown,
    { url, instantiates }: { url?: string; instantiates: boolean },
  ): object | undefined {
    try {
      if (isCalledByNode() || OWN_MODULES.some((own) => Buffer.compare(own, bytes) === 0)) return undefined;
      const name = readName(bytes);
      return {
        wireSize: bytes.length,
        ...(name !== undefined && { name }),
        ...(url !== undefined && { url }),
        ...(instantiates && { combined: true as const }),
        start: now(),
      } satisfies Compilation;
    } catch {
      return undefined;
    }
  }

  compiled(compilation: object, module: WebAssembly.Module): void {
    const { start, ...known } = compilation as Compilation;
    this.#add(module, { ...known, mode: 'baseline', steps: [{ name: 'load', start, end: now() }] });
  }

  imports(imports: unknown): unknown {
    return unwrapImports(imports);
  }

  instantiating(module: WebAssembly.Module): void {
    const startup = this.#byModule.get(module);
    if (startup && !hasStep(startup, 'instantiate')) this.#instantiating.set(startup, now());
  }

  instantiated(module: WebAssembly.Module, instance: WebAssembly.Instance): void {
    const end = now();
    const startup = this.#byModule.get(module);
    const start = startup && this.#instantiating.get(startup);
    // Only the first of several instances counts.
    if (!startup || hasStep(startup, 'instantiate') || startup.instanceSeen) return;
    if (start !== undefined) startup.steps.push({ name: 'instantiate', start, end });
    try {
      startup.instanceSeen = true;
      const watched = watchFirstCall(instance, (detail, began, returned) => {
        startup.steps.push({ name: 'first call', start: began, end: returned, detail });
        this.#changed();
      });
      if (!watched) startup.firstCallHiddenBecause = 'it exports no function';
    } catch (error) {
      startup.firstCallHiddenBecause = error instanceof Error ? error.message : String(error);
    }
    this.#changed();
  }

  #add(module: WebAssembly.Module, startup: ObservedStartup): void {
    this.#byModule.set(module, startup);
    this.#all.add(startup);
    this.#changed();
  }
}

function hasStep({ steps }: ObservedStartup, step: ObservedStep['name']): boolean {
  return steps.some(({ name }) => name === step);
}

/** Returns the name from the name section; undefined if there is none, or if the bytes are no module. */
function readName(bytes: Uint8Array): string | undefined {
  try {
    const section = readSections(bytes).customSections.find(({ name }) => name === 'name');
    return section && readModuleName(bytes, section);
  } catch {
    return undefined;
  }
}
