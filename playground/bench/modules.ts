/**
 * The measured modules. Each has a folder with
 *
 * 1. `module.json`: see `moduleSchema`;
 * 2. `workload.ts` or `workload.js`: exports `start(stopwatch)`. It imports the module in one of the plugin's
 *    forms, calls the stopwatch after each step (`load`, `instantiate`, `call`), and returns the result of the
 *    first real work.
 */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { glob } from 'tinyglobby';
import * as v from 'valibot';
import type { BenchModule } from '../../src/report/report-data.ts';
import { UsageError } from '../support/arguments.ts';

export const MODULES_FOLDER = fileURLToPath(new URL('modules/', import.meta.url));

const moduleSchema = v.strictObject({
  /** Name in tables; default: the folder's name. */
  name: v.optional(v.string()),
  /** `C, Emscripten`. */
  toolchain: v.string(),
  /** What is special about the module: `SIMD`, `very small` … */
  note: v.optional(v.string(), ''),
  /** The wasm file, in a package (`sql.js/dist/sql-wasm.wasm`) or in the folder (`./module.wasm`). */
  wasm: v.string(),
  /** Packages that do not run when they are bundled, with or without the plugin. */
  external: v.optional(v.array(v.string()), []),
  /** Whether `--quick` measures it. */
  quick: v.optional(v.boolean(), false),
});

export interface ModuleFolder extends BenchModule {
  /** The folder's name, which `--module` also accepts. */
  id: string;
  /** Absolute path. */
  workload: string;
  external: string[];
  quick: boolean;
}

/** @throws UsageError for an invalid folder */
export async function findModules(folder: string): Promise<ModuleFolder[]> {
  const files = await glob('*/module.json', { cwd: folder, absolute: true, expandDirectories: false });
  if (files.length === 0) throw new UsageError(`${folder}: expected folders with a module.json`);
  const modules = await Promise.all(files.map(readFolder));
  return modules.toSorted((a, b) => a.wasmSize - b.wasmSize);
}

async function readFolder(file: string): Promise<ModuleFolder> {
  const folder = dirname(file);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), moduleSchema), await readFile(file, 'utf8'));
  if (!parsed.success) throw new UsageError(`${file}: ${v.summarize(parsed.issues)}`);
  const workload = ['workload.ts', 'workload.js']
    .map((name) => join(folder, name))
    .find((path) => existsSync(path));
  if (workload === undefined) throw new UsageError(`${folder}: expected a workload.ts or workload.js`);
  const { wasm, name = basename(folder), ...rest } = parsed.output;
  const { size } = await stat(resolveWasm(wasm, folder));
  return { ...rest, id: basename(folder), name, workload, wasmSize: size };
}

/** Finds the file in node_modules directly, because not all packages export their wasm file. */
function resolveWasm(wasm: string, folder: string): string {
  if (wasm.startsWith('.')) return join(folder, wasm);
  const places = createRequire(join(folder, 'module.json')).resolve.paths(wasm) ?? [];
  const place = places.find((path) => existsSync(join(path, wasm)));
  if (place === undefined) throw new UsageError(`${folder}: ${wasm} is not installed`);
  return join(place, wasm);
}

/** @throws UsageError for an unknown name */
export function chooseModules(modules: readonly ModuleFolder[], names: readonly string[]): ModuleFolder[] {
  return names.map((name) => {
    const found = modules.find((each) => each.id === name || each.name === name);
    if (!found) {
      throw new UsageError(`unknown module "${name}": expected ${modules.map(({ id }) => id).join(', ')}`);
    }
    return found;
  });
}

export function describeModule({ name, toolchain, note, wasmSize }: ModuleFolder): BenchModule {
  return { name, toolchain, note, wasmSize };
}
