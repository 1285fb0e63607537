import type { WasmImport } from './extern-types.ts';

/**
 * Groups imports by module and name, in the order of the module. One name may occur several times with
 * different types.
 */
export function groupImports(imports: readonly WasmImport[]): Map<string, Map<string, WasmImport[]>> {
  const modules = new Map<string, Map<string, WasmImport[]>>();
  for (const entry of imports) {
    const names = modules.get(entry.module) ?? new Map<string, WasmImport[]>();
    modules.set(entry.module, names);
    names.set(entry.name, [...(names.get(entry.name) ?? []), entry]);
  }
  return modules;
}
