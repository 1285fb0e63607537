/** The register file in outputs of webpack and Rspack. */
import type { Compilation, Compiler, Module } from 'webpack';
import { endOfPrologue, importStatement } from '../../build/codegen/import-register.ts';
import type { RegisterFormat } from '../../build/codegen/register.ts';
import type { GeneratedFile } from '../../build/discover/recognised-modules.ts';
import { type ExternalImport, packageName } from '../../build/discover/external/packages.ts';

const SCRIPT = /\.[cm]?js$/;

/** Returns the imports of packages that are not in the bundle. Node resolves them from the output. */
export function findExternalImports(compiler: Compiler, compilation: Compilation): ExternalImport[] {
  const specifiers = new Set<string>();
  for (const module of compilation.modules) {
    const specifier = externalRequest(module);
    if (specifier !== undefined && packageName(specifier) !== undefined) specifiers.add(specifier);
  }
  const folders = [compiler.outputPath, compiler.context];
  return [...specifiers].flatMap((specifier) => folders.map((folder) => ({ specifier, folder })));
}

/** The identifier of an external module: `external module "sql.js"`, `external commonjs ["a", "property"]`. */
const EXTERNAL = /^external [\w-]+ \[?("(?:[^"\\]|\\.)+")/;

/** What an external module requires at run time: `externals: { jquery: 'commonjs jquery2' }` requires `jquery2`. */
function externalRequest(module: Module): string | undefined {
  // Rspack's modules have no other property with it.
  const [, request] = EXTERNAL.exec(module.identifier()) ?? [];
  return request === undefined ? undefined : (JSON.parse(request) as string);
}

/**
 * @param register the file that entries import
 * @param files names of the files that it refers to
 */
export function importIntoEntries(
  compiler: Compiler,
  compilation: Compilation,
  register: GeneratedFile,
  format: RegisterFormat,
  files: ReadonlySet<string>,
): void {
  const { RawSource, ReplaceSource } = compiler.webpack.sources;
  compilation.emitAsset(register.name, new RawSource(register.code));
  const entries = new Set([...compilation.entrypoints.values()].map((entry) => entry.getEntrypointChunk()));
  for (const chunk of compilation.chunks) {
    // A worker's chunk has a runtime of its own.
    if (!entries.has(chunk) && !chunk.hasRuntime()) continue;
    for (const name of chunk.files) {
      const asset = SCRIPT.test(name) ? compilation.getAsset(name) : undefined;
      if (!asset) continue;
      const source = new ReplaceSource(asset.source);
      const code = asset.source.source().toString();
      source.insert(endOfPrologue(code), importStatement(name, format, compiler.outputPath));
      compilation.updateAsset(name, source);
    }
    // Frameworks copy what belongs to a chunk.
    for (const name of [register.name, ...files]) chunk.auxiliaryFiles.add(name);
  }
}
