/** Modules in the text format, split, and linked by the runtime in this process. */
import { readModule } from '../../src/wasm/binary/module.ts';
import { splitModule, type SplitModule, type SplitOptions } from '../../src/wasm/split/split.ts';
import { piecesInOrder } from '../../src/runtime/shared/reassembly-plan.ts';
import { adopt, instantiate } from '../../src/runtime/shared/link.ts';
import { createMemory, fillMemory, readLimits } from '../../src/runtime/node/split/memory.ts';
import { wat } from '../support/wat.ts';

export interface SplitText extends SplitModule {
  whole: Uint8Array<ArrayBuffer>;
}

/** Splits a module, with these functions in the primary. */
export function splitText(
  text: string,
  hot: readonly string[],
  options: Partial<SplitOptions> = {},
): SplitText {
  const whole = new Uint8Array(wat(text));
  const split = splitModule(whole, indicesOf(whole, hot), { tailCalls: true, ...options });
  if ('whole' in split) throw new Error(`it stays whole: ${split.whole}`);
  return { whole, ...split };
}

/** As the runtime makes it. */
export function makeMemory(segment: Uint8Array): WebAssembly.Memory {
  const memory = createMemory(readLimits(segment));
  fillMemory(memory, segment);
  return memory;
}

/** What a recipe refers to. */
export function piecesOf({ parts, memory }: Pick<SplitModule, 'parts' | 'memory'>): Uint8Array[] {
  return piecesInOrder(parts, memory);
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
  /** Parts, in the order in which they came in, with the functions that were called. */
  brought: [part: number, calledFunction: number][];
  create(imports?: WebAssembly.Imports): Promise<WebAssembly.Instance>;
}

/** @param load instead of compiling the part */
export function link(
  { parts, memory }: Pick<SplitModule, 'parts' | 'memory'>,
  load?: (part: number) => WebAssembly.Module | undefined,
): Linked {
  const modules = parts.map((bytes) => new WebAssembly.Module(new Uint8Array(bytes)));
  const [primary] = modules;
  if (!primary) throw new Error('there are no parts');
  const brought: Linked['brought'] = [];
  adopt(primary, {
    load(part, calledFunction) {
      brought.push([part, calledFunction]);
      const module = load?.(part) ?? modules[part];
      if (!module) throw new Error(`there is no part ${part}`);
      return module;
    },
    createMemory: memory && (() => makeMemory(memory)),
  });
  return { primary, brought, create: (imports) => instantiate(primary, imports) };
}

type Call = (...values: unknown[]) => unknown;

/** The functions that an instance exports. */
export function functionsOf({ exports }: WebAssembly.Instance): Record<string, Call> {
  return exports as Record<string, Call>;
}
