/**
 * An instance of a module whose imports are of no use: a way to its functions, and so to their code, where the program's
 * own instances are gone or in other threads. Only for modules without a start function: then no code runs.
 */
import type { GlobalType, ReferenceType, WasmImport } from '../wasm/binary/types.ts';
import { Global, Instance, Memory, Table } from './hooks.ts';

/** An instance, and every table that it has a part in. */
export interface Stub {
  exports: WebAssembly.Exports;
  tables: WebAssembly.Table[];
}

/** @throws LinkError, RangeError, TypeError … where the module asks for what cannot be made up, or not be allocated */
export function instantiateStub(module: WebAssembly.Module, imports: readonly WasmImport[]): Stub {
  const object: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  const tables: WebAssembly.Table[] = [];
  for (const entry of imports) {
    const value = standIn(entry);
    if (value instanceof Table) tables.push(value);
    const space = (object[entry.module] ??= Object.create(null) as Record<string, WebAssembly.ImportValue>);
    space[entry.name] = value;
  }
  const { exports } = new Instance(module, object);
  for (const value of Object.values(exports)) if (value instanceof Table) tables.push(value);
  return { exports, tables };
}

function standIn(entry: WasmImport): WebAssembly.ImportValue {
  switch (entry.kind) {
    case 'function':
      return () => undefined;
    case 'memory': {
      const { type } = entry;
      return new Memory({ ...limits(type), shared: type.shared } as WebAssembly.MemoryDescriptor);
    }
    case 'table': {
      const { type } = entry;
      const element = type.element === 'funcref' ? 'anyfunc' : type.element;
      return new Table({ ...limits(type), element } as WebAssembly.TableDescriptor);
    }
    case 'global':
      return makeGlobal(entry.type);
    case 'tag':
      // TypeScript's library does not know tags.
      return new (WebAssembly as unknown as { Tag: new (type: object) => WebAssembly.ImportValue }).Tag({
        parameters: entry.type.params,
      });
  }
}

interface Limits {
  address: 'i32' | 'i64';
  minimum: number;
  maximum?: number;
}

/** In the form of 64-bit memories and tables where it is one. */
function limits({ address, minimum, maximum }: Limits): object {
  if (address === 'i32') return { initial: minimum, ...(maximum !== undefined && { maximum }) };
  return { address, initial: BigInt(minimum), ...(maximum !== undefined && { maximum: BigInt(maximum) }) };
}

function makeGlobal({ value, mutable }: GlobalType): WebAssembly.Global {
  const name: string | ReferenceType = value === 'funcref' ? 'anyfunc' : value;
  const descriptor = { value: name, mutable } as unknown as WebAssembly.GlobalDescriptor;
  return typeof value === 'string' && value.endsWith('ref')
    ? new Global(descriptor, null)
    : new Global(descriptor);
}
