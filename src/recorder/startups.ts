/** What a thread sees of how modules start: when each step began and ended. */
import { CHECKSUM_MODULE } from '../runtime/node/checksum.ts';
import type { ObserveStep } from '../runtime/node/preload-hooks.ts';
import { TRAMPOLINE } from '../runtime/shared/link.ts';
import { readModuleName } from '../wasm/binary/name-section.ts';
import { readSections } from '../wasm/binary/sections.ts';
import { unwrapImports, watchFirstCall } from './first-call.ts';
import type { ObservedStartup, ObservedStep } from './folder.ts';
import type { Observer } from './hooks.ts';
import { isNodesOwn } from './nodes-own.ts';

/** Bytes that are being compiled. */
interface Compilation extends Pick<ObservedStartup, 'name' | 'url' | 'wireSize' | 'whole'> {
  start: number;
}

/** What the runtime needs for itself. */
const OWN_MODULES = [CHECKSUM_MODULE, TRAMPOLINE];

const now = performance.now.bind(performance);

/** Times are in milliseconds from the start of the thread. */
export class Starts implements Observer {
  readonly #all = new Set<ObservedStartup>();
  readonly #byModule = new WeakMap<WebAssembly.Module, ObservedStartup>();
  /** When instances began to be made. */
  readonly #instantiating = new WeakMap<ObservedStartup, number>();
  readonly #changed: () => void;

  /** @param changed told after each step */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get all(): ObservedStartup[] {
    return [...this.#all];
  }

  /** The plugin's runtime begins to load a file. */
  observe(file: string): ObserveStep {
    const found: ObservedStartup = { file, mode: 'plain', steps: [] };
    let last = now();
    return (name, module, how) => {
      const end = now();
      found.steps.push({ name, start: last, end });
      last = end;
      if (!module) return;
      found.mode = how ?? found.mode;
      // The runtime has compiled the wire bytes: that has been seen, too.
      const compiled = this.#byModule.get(module);
      if (compiled) this.#all.delete(compiled);
      this.#add(module, found);
    };
  }

  compiling(
    bytes: Uint8Array,
    _options: unknown,
    { url, instantiates }: { url?: string; instantiates: boolean },
  ): object | undefined {
    try {
      if (isNodesOwn() || OWN_MODULES.some((own) => Buffer.compare(own, bytes) === 0)) return undefined;
      const name = nameOf(bytes);
      return {
        wireSize: bytes.length,
        ...(name !== undefined && { name }),
        ...(url !== undefined && { url }),
        ...(instantiates && { whole: true as const }),
        start: now(),
      } satisfies Compilation;
    } catch {
      return undefined;
    }
  }

  compiled(compilation: object, module: WebAssembly.Module): void {
    const { start, ...known } = compilation as Compilation;
    this.#add(module, { ...known, mode: 'plain', steps: [{ name: 'load', start, end: now() }] });
  }

  imports(imports: unknown): unknown {
    return unwrapImports(imports);
  }

  instantiating(module: WebAssembly.Module): void {
    const found = this.#byModule.get(module);
    if (found && !has(found, 'instantiate')) this.#instantiating.set(found, now());
  }

  instantiated(module: WebAssembly.Module, instance: WebAssembly.Instance): void {
    const end = now();
    const found = this.#byModule.get(module);
    const start = found && this.#instantiating.get(found);
    // Of several instances, the first.
    if (!found || has(found, 'instantiate') || found.watched) return;
    if (start !== undefined) found.steps.push({ name: 'instantiate', start, end });
    try {
      found.watched = true;
      const watched = watchFirstCall(instance, (detail, began, returned) => {
        found.steps.push({ name: 'first call', start: began, end: returned, detail });
        this.#changed();
      });
      if (!watched) found.unwatchable = 'it exports no function';
    } catch (error) {
      found.unwatchable = error instanceof Error ? error.message : String(error);
    }
    this.#changed();
  }

  #add(module: WebAssembly.Module, start: ObservedStartup): void {
    this.#byModule.set(module, start);
    this.#all.add(start);
    this.#changed();
  }
}

function has({ steps }: ObservedStartup, step: ObservedStep['name']): boolean {
  return steps.some(({ name }) => name === step);
}

/** Of the name section; undefined where there is none, or where the bytes are no module. */
function nameOf(bytes: Uint8Array): string | undefined {
  try {
    const section = readSections(bytes).customSections.find(({ name }) => name === 'name');
    return section && readModuleName(bytes, section);
  } catch {
    return undefined;
  }
}
