/** Loads import requests for wasm files: the generated code of each form. */
import { resolve } from 'node:path';
import { messageOf } from '../../common/error.ts';
import { sha256 } from '../../common/sha256.ts';
import { groupImports } from '../../wasm/binary/imports.ts';
import { interfaceOf } from '../../wasm/binary/module.ts';
import type { WasmInterface } from '../../wasm/binary/extern-types.ts';
import type { BundlerContext, BundlerSettings } from '../bundler-context.ts';
import {
  generateBrowserModule,
  generateFacade,
  generateFileModule,
  generateNodeModule,
  generateSharedHandle,
  type ModuleForm,
} from '../codegen/generate.ts';
import { decideUnreadable } from '../compile/decide.ts';
import type { Pipeline } from '../compile/pipeline.ts';
import { moduleName, readBytes, type SourceModule } from '../compile/read-source.ts';
import type { Diagnostics } from '../diagnostics.ts';
import type { RecognisedModules } from '../discover/recognised-modules.ts';
import type { ResolvedOptions } from '../options/resolve.ts';
import type { EnvironmentOutput } from '../output/environment-output.ts';
import { type LoadContext, type ModuleSources, plainSource } from '../output/module-sources.ts';
import { isInstalled, writeDeclarations } from '../types/declaration-files.ts';
import { formatRequest, type ImportRequest, parseRequest } from './request.ts';
import { refuseReservedNames } from './reserved-names.ts';
import { resolveWasmImport } from './resolve-request.ts';

export interface LoadSetup {
  options: ResolvedOptions;
  pipeline: Pipeline;
  sources: ModuleSources;
  recognised: RecognisedModules;
  diagnostics: Diagnostics;
  /** Whether the plugin handles a file. */
  handles: (file: string) => boolean;
  outputOf: (context: BundlerContext) => EnvironmentOutput;
  /** The code generated for a file awaits at the top level. */
  requireTopLevelAwait: (file: string) => void;
}

const NO_INTERFACE: WasmInterface = { imports: [], exports: [] };

export class RequestLoader {
  readonly #setup: LoadSetup;

  constructor(setup: LoadSetup) {
    this.#setup = setup;
  }

  /** Returns the code for a module id; undefined if the plugin does not handle it. */
  async load(context: BundlerContext, id: string, settings: BundlerSettings): Promise<string | undefined> {
    const { diagnostics, handles, options, pipeline } = this.#setup;
    const request = parseRequest(id);
    if (!request || !handles(request.file)) return undefined;
    diagnostics.printThrough(context);
    context.addWatchFile(request.file);
    if (options.profile?.path !== undefined) context.addWatchFile(resolve(options.profile.path));

    const load = this.#loadContext(context, settings);
    let source;
    try {
      source = await pipeline.read(request.file, context.watchMode);
    } catch (error) {
      return this.#loadUnreadable(load, request, error);
    }
    if (request.form === 'file') return this.#loadFile(load, source);
    if (request.form === 'shared') return this.#loadShared(load, id, source);
    return this.#loadModule(load, request.form, source);
  }

  #loadContext(context: BundlerContext, settings: BundlerSettings): LoadContext {
    return { context, platform: context.platform, settings, output: this.#setup.outputOf(context) };
  }

  /** The file in the output is the original one: the register file recognises its bytes. */
  #loadFile(load: LoadContext, source: SourceModule): string {
    this.#setup.recognised.addBundled(load, source);
    const url = load.output.emit(load.context, `${source.name}.wasm`, source.bytes);
    return generateFileModule(url, load.context.runningFile);
  }

  async #loadModule(load: LoadContext, form: 'esm' | ModuleForm, source: SourceModule): Promise<string> {
    const { file } = source;
    const { sources } = this.#setup;
    const wasmInterface = interfaceOf(source.module);
    await this.#declare(file, wasmInterface);
    if (form === 'esm') {
      refuseReservedNames(file, wasmInterface);
      this.#setup.requireTopLevelAwait(file);
      return generateFacade(formatRequest({ file, form: 'instance' }), wasmInterface);
    }
    const resolveImport =
      form === 'instance' ? await this.#resolveImports(load, source, wasmInterface) : unchanged;
    if (load.platform === 'browser') {
      const handle = formatRequest({ file, form: 'shared' });
      const split = (await sources.splitFor(load, source)) !== undefined;
      return generateBrowserModule(form, handle, wasmInterface, resolveImport, split);
    }
    return generateNodeModule(form, await sources.emit(load, source), wasmInterface, resolveImport);
  }

  /** Resolves what the wasm module imports. */
  async #resolveImports(
    { context }: LoadContext,
    { file, builtins }: SourceModule,
    { imports }: WasmInterface,
  ): Promise<(module: string) => string> {
    const resolved = new Map<string, string>();
    for (const [module, names] of groupImports(builtins?.others ?? imports)) {
      // One after another, so that the first import that cannot be resolved is the one in the error.
      // oxlint-disable-next-line no-await-in-loop
      const to = await resolveWasmImport(context, module, [...names.keys()], { file }, this.#setup.handles);
      resolved.set(module, to);
    }
    return (module) => resolved.get(module) ?? module;
  }

  /** Generates the module handle that all forms of a file share in a browser; a chunk of its own if it loads early. */
  async #loadShared(load: LoadContext, id: string, source: SourceModule): Promise<string> {
    const { context, settings, output } = load;
    await this.#declare(source.file, interfaceOf(source.module));
    const from = await this.#setup.sources.emit(load, source);
    const early = !settings.dev && this.#setup.options.web.preload !== false && 'url' in from;
    if (early && settings.web?.early) {
      output.noteWebUrl(id, from.url);
      context.emitChunk?.(id, source.name);
    }
    return generateSharedHandle(from, early);
  }

  /** Writes TypeScript declarations if the options ask for them. A failure does not stop the build. */
  async #declare(file: string, wasmInterface: WasmInterface): Promise<void> {
    const { options, diagnostics } = this.#setup;
    if (options.dts === undefined || isInstalled(file)) return;
    try {
      await writeDeclarations(file, wasmInterface, options.dts);
    } catch (error) {
      diagnostics.warn(`${messageOf(error)} The build continues without these types.`);
    }
  }

  /**
   * Loads a file that cannot be parsed, if its form may ship it all the same.
   *
   * @param error the parser's
   * @throws the error, if the build must fail
   */
  async #loadUnreadable(load: LoadContext, { file, form }: ImportRequest, error: unknown): Promise<string> {
    const wire = await readBytes(file);
    const decision = decideUnreadable(error, form, wire);
    if (!decision) throw error;
    if (load.platform === 'browser' && (form === 'init' || form === 'module')) {
      const handle = formatRequest({ file, form: 'shared' });
      return generateBrowserModule(form, handle, NO_INTERFACE, unchanged, false);
    }
    if (decision.warning !== undefined) this.#setup.diagnostics.warn(decision.warning);
    const name = moduleName(file);
    const { context, output } = load;
    output.note({ file, name, sha256: sha256(wire) }, decision);
    if (form === 'file') {
      return generateFileModule(output.emit(context, `${name}.wasm`, wire), context.runningFile);
    }
    const source = plainSource(load, { file, name, wire }, {});
    return form === 'shared'
      ? generateSharedHandle(source, false)
      : generateNodeModule(form as ModuleForm, source, NO_INTERFACE, unchanged);
  }
}

function unchanged(module: string): string {
  return module;
}
