/**
 * Creates an instance of a module with stub imports, to reach its functions and their code if the program's own
 * instances are gone or in other threads. Only for modules without a start function, so that no code runs.
 */
import type { GlobalType, ReferenceType, WasmImport } from '../wasm/binary/extern-types.ts';
import { Global, Instance, Memory, Table } from './webassembly-hooks.ts';

/** An instance, with every table that it imports or exports. */
export interface StubInstance {
  exports: WebAssembly.Exports;
  tables: WebAssembly.Table[];
}

/** @throws LinkError, RangeError, TypeError … if an import cannot be stubbed or allocated */
export function instantiateStub(module: WebAssembly.Module, imports: readonly WasmImport[]): StubInstance {
  const object: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  const tables: WebAssembly.Table[] = [];
  for (const entry of imports) {
    const value = createStubImport(entry);
    if (value instanceof Table) tables.push(value);
    const space = (object[entry.module] ??= Object.create(null) as Record<string, WebAssembly.ImportValue>);
    space[entry.name] = value;
  }
  const { exports } = new Instance(module, object);
  for (const value of Object.values(exports)) if (value instanceof Table) tables.push(value);
  return { exports, tables };
}

function createStubImport(entry: WasmImport): WebAssembly.ImportValue {
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
      // TypeScript's library does not declare tags.
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

/** Returns the limits as a descriptor: with BigInt and `address` for 64-bit memories and tables. */
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
