/** Splits modules in the text format, and links them with the runtime in this process. */
import { readModule } from '../../src/wasm/binary/module.ts';
import { splitModule, type SplitModule } from '../../src/wasm/split/split-module.ts';
import type { SplitOptions } from '../../src/wasm/split/split-options.ts';
import { planSources } from '../../src/runtime/shared/reassembly-plan.ts';
import { registerPrimary, instantiate } from '../../src/runtime/shared/link.ts';
import { createMemory, fillMemory, readLimits } from '../../src/runtime/shared/memory-image.ts';
import { wat } from '../support/wat.ts';

export interface SplitText extends SplitModule {
  original: Uint8Array<ArrayBuffer>;
}

/** Splits a module. @param hot names of functions for the primary */
export function splitText(
  text: string,
  hot: readonly string[],
  options: Partial<SplitOptions> = {},
): SplitText {
  const original = new Uint8Array(wat(text));
  const split = splitModule(original, indicesOf(original, hot), { tailCalls: true, ...options });
  if ('unsplitReason' in split) throw new Error(`it is not split: ${split.unsplitReason}`);
  return { original, ...split };
}

/** Makes a memory as the runtime does. */
export function makeMemory(segment: Uint8Array): WebAssembly.Memory {
  const memory = createMemory(readLimits(segment));
  fillMemory(memory, segment);
  return memory;
}

/** Returns the pieces that a reassembly plan refers to. */
export function piecesOf({ modules, memory }: Pick<SplitModule, 'modules' | 'memory'>): Uint8Array[] {
  return planSources(modules, memory);
}

export function indicesOf(wire: Uint8Array, names: readonly string[]): Set<number> {
  const byName = new Map([...readModule(wire).functionNames()].map(([index, name]) => [name, index]));
  return new Set(
    names.map((name) => {
      const index = byName.get(name);
      if (index === undefined) throw new Error(`there is no function ${name}`);
      return index;
    }),
  );
}

export interface Linked {
  primary: WebAssembly.Module;
  /** The loaded secondaries in order, with the functions that were called. */
  loaded: [secondary: number, calledFunction: number][];
  create(imports?: WebAssembly.Imports): Promise<WebAssembly.Instance>;
}

/** @param load returns a module instead of the compiled secondary */
export function link(
  { modules, memory }: Pick<SplitModule, 'modules' | 'memory'>,
  load?: (secondary: number) => WebAssembly.Module | undefined,
): Linked {
  const compiled = modules.map((bytes) => new WebAssembly.Module(new Uint8Array(bytes)));
  const [primary] = compiled;
  if (!primary) throw new Error('there are no modules');
  const loaded: Linked['loaded'] = [];
  registerPrimary(primary, {
    loadSecondary(secondary, calledFunction) {
      loaded.push([secondary, calledFunction]);
      const module = load?.(secondary) ?? compiled[secondary];
      if (!module) throw new Error(`there is no secondary ${secondary}`);
      return module;
    },
    createMemory: memory && (() => makeMemory(memory)),
  });
  return { primary, loaded, create: (imports) => instantiate(primary, imports) };
}

type Call = (...values: unknown[]) => unknown;

/** Returns the functions that an instance exports. */
export function functionsOf({ exports }: WebAssembly.Instance): Record<string, Call> {
  return exports as Record<string, Call>;
}
