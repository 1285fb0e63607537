// @ts-check
/**
 * Runs original modules and their splits, and prints how many were compared and every difference. It is plain
 * JavaScript, because the node under test runs it as a process. The argument is a JSON file with a list of
 * cases (random.ts).
 */
import { readFileSync } from 'node:fs';
import { registerPrimary, instantiate, intercept } from '../../dist/runtime/shared/link.js';
import { memoryFrom } from './memory-from-file.js';

/** @typedef {import('./random.ts').RandomCase} RandomCase */

/** Values of parameters and imports by type, for each round. */
const VALUES = {
  i32: [7, 0, -1, 65_535],
  i64: [7n, 0n, -1n, 65_536n],
  f32: [1.5, 0, -1, 1e9],
  f64: [-2.25, 0, -1, 1e300],
};

/** References that are not null, by heap type. */
const REFERENCES = { extern: { name: 'extern' }, any: 5, eq: 5, i31: 5, func: makeFunction() };

/** How often each export is called: a later call shows the effects of an earlier one. */
const ROUNDS = VALUES.i32.length;

class Run {
  /** @type {string[]} */
  trace = [];
  /** Numbers of objects and functions, in order of their first appearance. */
  #seen = new Map();
  /** @type {WebAssembly.Exports | undefined} */
  #exports;
  #calls = 0;
  #round = 0;

  /** @param {RandomCase} random */
  constructor(random) {
    this.random = random;
  }

  /** @param {(imports: WebAssembly.Imports) => any} create */
  async run(create) {
    try {
      const { exports } = await create(this.#imports());
      this.#exports = exports;
      this.trace.push(Object.keys(exports).join());
      for (; this.#round < ROUNDS; this.#round++) {
        for (const { name, kind, type } of this.random.exports) {
          if (kind !== 'function') continue;
          this.#attempt(name, () => this.#call(name, type.params));
        }
        this.#state(exports);
      }
    } catch (error) {
      this.#fail('instantiate', error);
    }
    return this.trace;
  }

  /** @param {string} name @param {readonly unknown[]} types */
  #call(name, types = []) {
    const callee = /** @type {(...values: unknown[]) => unknown} */ (this.#exports?.[name]);
    return callee(...types.map((type) => valueOf(type, this.#round)));
  }

  /** @param {string} what @param {() => unknown} call */
  #attempt(what, call) {
    try {
      const result = call();
      this.trace.push(
        `${what} → ${[result]
          .flat()
          .map((value) => this.#show(value))
          .join()}`,
      );
      return true;
    } catch (error) {
      this.#fail(what, error);
      return false;
    }
  }

  /** @param {string} what @param {any} error */
  #fail(what, error) {
    if (error instanceof RangeError && /call stack/.test(error.message)) throw new StackOverflow();
    if (error instanceof StackOverflow) throw error;
    const message = error instanceof Error ? `${error.name}: ${error.message}` : this.#show(error);
    // An instance can be created in several WAYS, and the message begins with the name of the way.
    this.trace.push(`${what} ! ${message.replace(/WebAssembly\.(Instance|instantiate)\(\)/, 'WebAssembly')}`);
  }

  /** @param {WebAssembly.Exports} exports */
  #state(exports) {
    for (const [name, value] of Object.entries(exports)) {
      if (value instanceof WebAssembly.Global) this.#attempt(name, () => value.value);
      if (value instanceof WebAssembly.Table) {
        this.#attempt(name, () => {
          const length = Number(value.length);
          const wide = typeof value.length === 'bigint';
          const at = Array.from({ length: Math.min(length, 40) }, (_, index) =>
            value.get(/** @type {any} */ (wide ? BigInt(index) : index)),
          );
          return [length, ...at];
        });
      }
      if (value instanceof WebAssembly.Memory) {
        const bytes = new Uint8Array(value.buffer);
        let hash = bytes.length;
        for (const byte of bytes.subarray(0, 1 << 20)) hash = (Math.imul(hash, 31) + byte) | 0;
        this.trace.push(`${name} ${hash}`);
      }
    }
  }

  /** @param {any} value @returns {string} */
  #show(value) {
    if (typeof value !== 'object' && typeof value !== 'function')
      return Object.is(value, -0) ? '-0' : `${value}`;
    if (value === null) return 'null';
    if (!this.#seen.has(value)) this.#seen.set(value, this.#seen.size);
    return `${typeof value}#${this.#seen.get(value)} ${typeof value === 'function' ? `${value.name}/${value.length}` : ''}`;
  }

  #imports() {
    /** @type {Record<string, Record<string, any>>} */
    const imports = {};
    for (const entry of this.random.imports) {
      imports[entry.module] ??= {};
      const to = /** @type {Record<string, any>} */ (imports[entry.module]);
      to[entry.name] = this.#import(entry);
    }
    return imports;
  }

  /** @param {RandomCase['imports'][number]} entry */
  #import({ name, kind, type }) {
    switch (kind) {
      case 'function':
        return (/** @type {unknown[]} */ ...values) => this.#called(name, type.results, values);
      case 'global': {
        const value = /** @type {any} */ (type.value);
        // Immutable globals may have types that JavaScript cannot name.
        return type.mutable
          ? new WebAssembly.Global({ value, mutable: true }, valueOf(value))
          : valueOf(value);
      }
      case 'table':
        return new WebAssembly.Table(
          /** @type {any} */ ({
            element: type.element === 'funcref' ? 'anyfunc' : type.element,
            initial: type.minimum,
            maximum: type.maximum,
          }),
        );
      case 'memory':
        return new WebAssembly.Memory(/** @type {any} */ ({ initial: type.minimum, maximum: type.maximum }));
      default:
        return name === 'jstag' && 'JSTag' in WebAssembly
          ? /** @type {any} */ (WebAssembly).JSTag
          : new /** @type {any} */ (WebAssembly).Tag({ parameters: [...type.params] });
    }
  }

  /**
   * Implements the imports that wasm-opt's fuzzer expects. @param {string} name @param {readonly unknown[]}
   * results @param {any[]} values
   */
  #called(name, results, values) {
    this.trace.push(`${name}(${values.map((value) => this.#show(value)).join()})`);
    // Reentrant calls may call each other endlessly.
    if (++this.#calls > 300) throw new Error('enough');
    const table = /** @type {any} */ (this.#exports?.['table']);
    const [first] = values;
    const exported = () => this.random.exports.filter(({ kind }) => kind === 'function');
    const callExport = () => {
      const all = exported();
      const chosen = all[first % all.length];
      if (chosen?.kind === 'function') this.#call(chosen.name, chosen.type.params);
    };
    const catching = (/** @type {() => unknown} */ call) => (this.#attempt(name, call) ? 0 : 1);
    switch (name) {
      case 'throw':
        throw new Error(`thrown ${first}`);
      case 'table-get':
        return table.get(typeof table.length === 'bigint' ? BigInt(first >>> 0) : first >>> 0);
      case 'table-set':
        return table.set(typeof table.length === 'bigint' ? BigInt(first >>> 0) : first >>> 0, values[1]);
      case 'call-export':
        return callExport();
      case 'call-export-catch':
        return catching(callExport);
      case 'call-ref':
        return first();
      case 'call-ref-catch':
        return catching(() => first());
      default:
        return results.length === 0 ? undefined : valueOf(results[0]);
    }
  }
}

/** The depth of the stack differs, so everything after an overflow may differ, too. */
class StackOverflow extends Error {}

/** @param {any} type @param {number} [round] @returns {any} */
function valueOf(type, round = 0) {
  if (typeof type === 'string')
    return type in VALUES ? VALUES[/** @type {keyof typeof VALUES} */ (type)][round % ROUNDS] : null;
  return type.nullable ? null : REFERENCES[/** @type {keyof typeof REFERENCES} */ (type.heap)];
}

/** (module (func (export "f"))) */
function makeFunction() {
  const bytes = Buffer.from('AGFzbQEAAAABBAFgAAADAgEABwUBAWYAAAoEAQIACw==', 'base64');
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports['f'];
}

/** @param {RandomCase} random @param {(imports: WebAssembly.Imports) => any} create */
async function traceOf(random, create) {
  const run = new Run(random);
  try {
    await run.run(create);
    return { trace: run.trace, overflow: false };
  } catch (error) {
    if (!(error instanceof StackOverflow)) throw error;
    return { trace: run.trace, overflow: true };
  }
}

/**
 * The ways to create an instance of a split module. @type {((module: WebAssembly.Module, imports:
 * WebAssembly.Imports) => any)[]}
 */
const WAYS = [
  instantiate,
  (module, imports) => WebAssembly.instantiate(module, imports),
  (module, imports) => new WebAssembly.Instance(module, imports),
];
intercept();

const [, , casesFile = ''] = process.argv;
/** @type {RandomCase[]} */
const cases = JSON.parse(readFileSync(casesFile, 'utf8'));
/**
 * @type {{ compared: number, steps: number, merged: number, separate: number, stubbed: number, loaded: number,
 * differences: object[] }}
 */
const result = { compared: 0, steps: 0, merged: 0, separate: 0, stubbed: 0, loaded: 0, differences: [] };
for (const random of cases) {
  const [original, ...modules] = [random.original, ...random.modules].map(
    (file) => new WebAssembly.Module(readFileSync(file)),
  );
  if (!original || !modules[0]) throw new Error('a case without modules');
  registerPrimary(modules[0], {
    loadSecondary(secondary) {
      result.loaded++;
      const module = modules[secondary];
      if (!module) throw new Error(`no secondary ${secondary}`);
      return module;
    },
    createMemory: memoryFrom(random.memory),
  });
  const expected = await traceOf(random, (imports) => WebAssembly.instantiate(original, imports));
  const primary = modules[0];
  const found = await traceOf(random, (imports) => WAYS[random.seed % WAYS.length]?.(primary, imports));
  const overflow = expected.overflow || found.overflow;
  const length = overflow
    ? Math.min(expected.trace.length, found.trace.length)
    : Math.max(expected.trace.length, found.trace.length);
  const at = Array.from({ length }).findIndex((_, step) => expected.trace[step] !== found.trace[step]);
  result.compared++;
  if (random.merged) result.merged++;
  if (random.memory) result.separate++;
  if (random.stubbed) result.stubbed++;
  result.steps += length;
  if (at !== -1) {
    result.differences.push({
      seed: random.seed,
      at,
      expected: expected.trace.slice(at, at + 3),
      found: found.trace.slice(at, at + 3),
    });
  }
}
console.log(JSON.stringify(result));
