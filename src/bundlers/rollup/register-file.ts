/** The register file in outputs of bundlers with Rollup's plugin interface. */
import { dirname, isAbsolute } from 'node:path';
import type { BundlerContext } from '../../build/bundler-context.ts';
import { type ImportingScript, importRegister } from '../../build/codegen/import-register.ts';
import { EMPTY_REGISTER, type RegisterFormat, registerName } from '../../build/codegen/register.ts';
import { type ExternalImport, packageName } from '../../build/discover/external/packages.ts';
import type { GeneratedFile } from '../../build/discover/recognised-modules.ts';
import type { WasmPlugin } from '../../build/plugin.ts';
import { type Environment, hasNodeModules } from '../vite/environment.ts';
import type { RollupContext } from './context.ts';

/** Undefined for formats and environments without modules of Node. */
export function registerFormat(
  format: string | undefined,
  environment: Environment | undefined,
): RegisterFormat | undefined {
  if (!hasNodeModules(environment)) return undefined;
  if (/^(es|esm|module)$/.test(format ?? '')) return 'esm';
  return /^(cjs|commonjs)$/.test(format ?? '') ? 'cjs' : undefined;
}

/** Returns the imports of packages that are not in the bundle, each once for a folder. */
export function findExternalImports(context: RollupContext): ExternalImport[] {
  const found = new Map<string, ExternalImport>();
  for (const importer of context.getModuleIds()) {
    const info = context.getModuleInfo(importer);
    const folder = isAbsolute(importer) ? dirname(importer) : process.cwd();
    for (const specifier of [...(info?.importedIds ?? []), ...(info?.dynamicallyImportedIds ?? [])]) {
      if (!isBundled(context, specifier) && packageName(specifier) !== undefined)
        found.set(`${folder}\0${specifier}`, { specifier, folder });
    }
  }
  return [...found.values()];
}

/** Rolldown has modules for external imports, too, but without code. */
function isBundled(context: RollupContext, id: string): boolean {
  const info = context.getModuleInfo(id);
  return info?.isExternal !== true && typeof info?.code === 'string';
}

/** A chunk, as `renderChunk` hooks get it. */
export interface RenderedChunk {
  fileName: string;
  isEntry: boolean;
}

/** Makes an entry import the register file first, if the output has one. */
export function renderEntry(
  plugin: WasmPlugin,
  context: BundlerContext,
  code: string,
  { fileName, isEntry }: RenderedChunk,
  format: RegisterFormat | undefined,
): ImportingScript | undefined {
  return format && isEntry && plugin.needsRegister(context)
    ? importRegister(code, fileName, format)
    : undefined;
}

/** Returns a file without effect if an entry imports the register file. */
export function emptyRegisterFor(
  bundle: Readonly<Record<string, unknown>>,
  format: RegisterFormat,
): GeneratedFile | undefined {
  const name = registerName(format);
  const chunks = Object.values(bundle) as { code?: string }[];
  return chunks.some(({ code }) => code?.includes(name)) ? { name, code: EMPTY_REGISTER } : undefined;
}
