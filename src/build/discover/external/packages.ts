/** Packages outside the bundle that hold wasm files: those that the output imports, and their dependencies. */
import { readFile, realpath } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import pLimit from 'p-limit';
import { glob } from 'tinyglobby';

/** An import that the bundler left in the output. */
export interface ExternalImport {
  /** As the code has it: `sql.js`, `@swc/wasm/wasm.js`. */
  specifier: string;
  /** Absolute path of a folder from which Node resolves it. */
  folder: string;
}

export interface WasmPackage {
  name: string;
  version: string;
  /** Absolute path without symbolic links. */
  folder: string;
  /** Absolute paths. */
  wasmFiles: string[];
}

interface Manifest {
  name?: string;
  version?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

/** Packages looked at before the search ends. More would take a build longer than it is worth. */
const MAX_PACKAGES = 3000;

/** Several folders are read at a time. */
const limit = pLimit(16);

const BUILTINS = new Set(builtinModules);

/** Returns the name of the package that a specifier names; undefined for files, URLs and Node's own modules. */
export function packageName(specifier: string): string | undefined {
  const [, name] = /^((?:@[^/\s:]+\/)?[^./\s:@#][^/\s:]*)(?:\/.*)?$/.exec(specifier) ?? [];
  return name === undefined || BUILTINS.has(name) ? undefined : name;
}

/** Finds packages with wasm files. Packages that are not installed are skipped: they may be optional. */
export async function findWasmPackages(imports: readonly ExternalImport[]): Promise<WasmPackage[]> {
  const seen = new Set<string>();
  const found: WasmPackage[] = [];
  let queue = await resolveAll(
    imports.map(({ specifier, folder }) => ({ name: packageName(specifier), folder })),
    seen,
  );
  while (queue.length > 0 && seen.size < MAX_PACKAGES) {
    // The dependencies of a package are known when its manifest was read.
    // oxlint-disable-next-line no-await-in-loop
    const looked = await Promise.all(queue.map((folder) => limit(() => lookAt(folder))));
    found.push(...looked.flatMap(({ wasm }) => (wasm ? [wasm] : [])));
    // oxlint-disable-next-line no-await-in-loop
    queue = await resolveAll(
      looked.flatMap(({ folder, dependencies }) => dependencies.map((name) => ({ name, folder }))),
      seen,
    );
  }
  return found;
}

async function lookAt(
  folder: string,
): Promise<{ folder: string; dependencies: string[]; wasm: WasmPackage | undefined }> {
  const manifest = await readManifest(folder);
  const { name = folder, version = '', dependencies, optionalDependencies, peerDependencies } = manifest;
  const wasmFiles = await glob('**/*.wasm', {
    cwd: folder,
    absolute: true,
    dot: true,
    expandDirectories: false,
    ignore: ['**/node_modules/**'],
    onlyFiles: true,
  });
  return {
    folder,
    dependencies: Object.keys({ ...peerDependencies, ...optionalDependencies, ...dependencies }),
    wasm:
      wasmFiles.length === 0
        ? undefined
        : { name, version, folder, wasmFiles: wasmFiles.map((file) => resolve(file)) },
  };
}

async function readManifest(folder: string): Promise<Manifest> {
  try {
    return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
  } catch {
    return {};
  }
}

/** Returns the folders of packages that were not seen yet, as Node finds them. */
async function resolveAll(
  requests: readonly { name: string | undefined; folder: string }[],
  seen: Set<string>,
): Promise<string[]> {
  const folders = await Promise.all(
    requests.map(({ name, folder }) =>
      name === undefined ? undefined : limit(() => findPackage(name, folder)),
    ),
  );
  const fresh: string[] = [];
  for (const folder of folders) {
    if (folder === undefined || seen.has(folder)) continue;
    seen.add(folder);
    fresh.push(folder);
  }
  return fresh;
}

/** The folder of a package, searched for as by Node: in each `node_modules` on the way to the root. */
async function findPackage(name: string, from: string): Promise<string | undefined> {
  for (let folder = from; ; folder = dirname(folder)) {
    try {
      // One folder after another: the nearest one counts.
      // oxlint-disable-next-line no-await-in-loop
      return await realpath(join(folder, 'node_modules', name));
    } catch {
      if (dirname(folder) === folder) return undefined;
    }
  }
}
