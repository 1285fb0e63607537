/**
 * The plugin's side of one bundler run: resolves requests, makes glue code, emits artifacts. `index.ts` calls it
 * from the bundler's hooks.
 */
import { existsSync } from 'node:fs';
import { isAbsolute, relative, resolve as resolvePath } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HtmlTagDescriptor } from 'vite';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { isCoreModule } from '../wasm/binary/identify.ts';
import { groupImports } from '../wasm/binary/imports.ts';
import { interfaceOf } from '../wasm/binary/module.ts';
import type { WasmInterface } from '../wasm/binary/types.ts';
import { BuildReport } from './output/build-report.ts';
import type { BundlerContext, BundlerSettings, WrittenOutput } from './bundler-context.ts';
import { isInstalled, writeDeclarations } from './types/declaration-files.ts';
import { EnvironmentOutput } from './output/environment-output.ts';
import {
  generateFacade,
  generateNodeModule,
  generateFileModule,
  generateBrowserModule,
  generateSharedHandle,
  type ModuleSource,
  type Platform,
} from './codegen/generate.ts';
import type { ResolvedOptions } from './options/options.ts';
import { createPipeline, moduleName, type Pipeline, readBytes } from './compile/pipeline.ts';
import { createProgress } from './compile/progress.ts';
import { formatRequest, type ImportRequest, parseRequest, splitRequest } from './requests/request.ts';
import { refuseReservedNames } from './requests/reserved-names.ts';
import { resolveFile } from './requests/resolve-file.ts';
import { sha256 } from '../common/sha256.ts';
import { rewriteSourceImports } from './requests/source-phase.ts';
import { type Place, plainSource, Sources } from './compile/sources.ts';
import { describeContents } from './output/summary.ts';
import { SHARED_FOLDER, Training } from './output/training.ts';
import {
  type ScriptHost,
  type RewrittenScript,
  rewriteRuntimeLoading,
} from './discover/rewrite-runtime-loading.ts';
import { parseForeignRequest, unknownForm } from './requests/unknown-form.ts';
import { isFoundByNode, unresolvedImport } from './requests/unresolved-import.ts';
import {
  type ChunkGraph,
  findLater,
  findStarters,
  type GraphChunk,
  laterTags,
  preloadTags,
  startBefore,
  startTags,
  type EarlyStart,
} from './output/early-start.ts';

/** Runtime modules, as glue code imports them. */
const RUNTIME_REQUEST = /^wasm-precompile:runtime\/([\w/-]+)$/;
const RUNTIME_FOLDER = fileURLToPath(new URL('../runtime/', import.meta.url)).replaceAll('\\', '/');

/** Requests that `Bundle.resolve` looks at: wasm files, runtime modules, and the runtime's own imports of Node. */
export const RESOLVE_FILTER = /^[^\0?]+\.wasm(?:\?.*)?$|^wasm-precompile:|^node:/;

/** The file of a runtime module; undefined for other requests. */
export function runtimeFile(request: string): string | undefined {
  const name = RUNTIME_REQUEST.exec(request)?.[1];
  return name && `${RUNTIME_FOLDER}${name}.js`;
}

/** Whether an id or a path is that of a runtime module. */
function isRuntime(id: string): boolean {
  return id.replaceAll('\\', '/').startsWith(RUNTIME_FOLDER);
}

export class WasmPlugin {
  settings: BundlerSettings = { dev: false, inlineLimit: () => 0, urlImports: false };
  readonly #options: ResolvedOptions;
  readonly #pipeline: Pipeline;
  /** Where the option asks for it. */
  readonly #training: Training | undefined;
  readonly #report: BuildReport | undefined;
  readonly #sources: Sources;
  /** How many outputs were written, or are about to be, by folder. */
  readonly #folders = new Map<string, number>();
  #tell: (message: string) => void = console.warn;
  /** Warnings of this run: each is given once. */
  #told = new Set<string>();
  /** For each of Vite's environments, or for the bundler as a whole. */
  #outputs = new Map<string, EnvironmentOutput>();
  /** Files imported in the form that needs top-level await. */
  #awaited = new Set<string>();
  /** The output format, where the bundler knows it before it loads modules (Rolldown, not Rollup). */
  format: string | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    const progress = createProgress();
    const warn = (message: string) => this.#warn(message);
    this.#pipeline = createPipeline(options, { warn, progress });
    const { profile, report } = options;
    if (report !== false) this.#report = new BuildReport(report);
    if (profile?.train) {
      const { train: command, timeLimit, runs } = profile;
      this.#training = new Training({ command, timeLimit, runs, pipeline: this.#pipeline, warn, progress });
    }
    this.#sources = new Sources({
      options,
      pipeline: this.#pipeline,
      training: this.#training !== undefined,
      report: this.#report,
      warn,
    });
  }

  /** What runs the output: as the option says, else as the bundler does, where it says anything. */
  platform(declared: Platform | undefined): Platform {
    return this.#options.platform ?? declared ?? 'node';
  }

  /** Whether outputs will be trained. */
  get trains(): boolean {
    return this.#training !== undefined;
  }

  /** A new run, in watch mode one of many. */
  start(context: BundlerContext): void {
    this.#outputOf(context).start(context);
    this.#awaited.clear();
    this.#told.clear();
  }

  async resolve(
    context: BundlerContext,
    id: string,
    importer: string | undefined,
  ): Promise<string | { id: string; external: boolean } | undefined> {
    const runtime = runtimeFile(id);
    if (runtime !== undefined) return runtime;
    if (id.startsWith('node:')) {
      return importer !== undefined && isRuntime(importer) ? { id, external: true } : undefined;
    }
    const request = parseRequest(id);
    if (!request) return undefined;
    const file = await resolveFile(context, request.file, importer && splitRequest(importer).file);
    return file !== undefined && this.#options.filter(file) ? formatRequest({ ...request, file }) : undefined;
  }

  async load(context: BundlerContext, id: string): Promise<string | undefined> {
    const request = parseRequest(id);
    if (!request || !this.isOurs(request.file)) return undefined;
    this.#tellBy(context);
    context.addWatchFile(request.file);
    if (this.#options.profile?.path !== undefined)
      context.addWatchFile(resolvePath(this.#options.profile.path));

    let source;
    try {
      source = await this.#pipeline.read(request.file);
    } catch (error) {
      return this.#loadUnknown(context, request, error);
    }
    if (request.form === 'file') {
      const { url, artifact } = await this.#sources.chooseForFile(this.#place(context), source);
      return generateFileModule(url, artifact, context.runningFile);
    }
    const wasmInterface = interfaceOf(source.module);
    await this.#declare(request.file, wasmInterface);
    if (request.form === 'esm') {
      refuseReservedNames(request.file, wasmInterface);
      this.#awaited.add(request.file);
      this.checkFormat(this.format);
      return generateFacade(formatRequest({ ...request, form: 'instance' }), wasmInterface);
    }
    if (request.form === 'shared') {
      return this.#loadLoader(context, id, source, await this.#sources.choose(this.#place(context), source));
    }
    const resolved = new Map<string, string>();
    if (request.form === 'instance') {
      for (const [module, names] of groupImports(source.builtins?.others ?? wasmInterface.imports)) {
        resolved.set(module, await this.#resolveWasmImport(context, module, [...names.keys()], request));
      }
    }
    const resolveImport = (name: string) => resolved.get(name) ?? name;
    if (context.platform === 'browser') {
      const loader = formatRequest({ ...request, form: 'shared' });
      const split = (await this.#sources.partsOf(this.#place(context), source)) !== undefined;
      return generateBrowserModule(request.form, loader, wasmInterface, resolveImport, split);
    }
    const moduleSource = await this.#sources.choose(this.#place(context), source);
    return generateNodeModule(request.form, moduleSource, wasmInterface, resolveImport);
  }

  /** What all forms of a file share in a browser. Where it may begin early, it is a chunk of its own. */
  #loadLoader(context: BundlerContext, id: string, { name }: { name: string }, source: ModuleSource): string {
    const early = !this.settings.dev && this.#options.web.preload !== false && 'url' in source;
    if (early && this.settings.web?.early) {
      this.#outputOf(context).noteWebUrl(id, source.url);
      context.emitChunk?.(id, name);
    }
    return generateSharedHandle(source, early);
  }

  /** Writes TypeScript declarations, where the option asks for them. A build goes on without. */
  async #declare(file: string, wasmInterface: WasmInterface): Promise<void> {
    const { dts } = this.#options;
    if (dts === undefined || isInstalled(file)) return;
    try {
      await writeDeclarations(file, wasmInterface, dts);
    } catch (error) {
      this.#warn(`${messageOf(error)} The build goes on without these types.`);
    }
  }

  /** Makes ordinary imports of source phase imports of wasm files; undefined where there are none. */
  async transform(
    context: BundlerContext,
    code: string,
    id: string,
  ): Promise<{ code: string; manifest: null } | undefined> {
    const importer = splitRequest(id).file;
    const rewritten = await rewriteSourceImports(code, importer, async (specifier) => {
      const file = await resolveFile(context, specifier, importer);
      return file !== undefined && this.isOurs(file);
    });
    return rewritten === undefined ? undefined : { code: rewritten, manifest: null };
  }

  /** Whether scripts are looked at, for code that loads wasm files by itself or gets modules late. */
  detectsRuntimeLoading(platform: Platform): boolean {
    const { dev, plain } = this.settings;
    return platform === 'node' && !dev && plain === undefined && (this.#options.detect || this.#maySplit);
  }

  get #maySplit(): boolean {
    return this.#options.split !== undefined && this.#options.profile !== undefined;
  }

  /** Changes code that loads wasm files by itself, or gets modules late; undefined where there is nothing to change. */
  async rewriteRuntimeLoading(
    context: BundlerContext,
    code: string,
    id: string,
    host: ScriptHost,
  ): Promise<RewrittenScript | undefined> {
    if (!this.detectsRuntimeLoading(context.platform)) return undefined;
    if (!host.hasNode && this.#options.platform === undefined) return undefined;
    if (isRuntime(id)) return undefined;
    return rewriteRuntimeLoading(context, code, id, {
      ...host,
      glue: this.#options.detect,
      late: this.#maySplit,
      isOurs: (file) => this.isOurs(file),
      found: (file) => this.#outputOf(context).noteLoader(file, splitRequest(id).file),
    });
  }

  /** The id of a wasm file with a query that nobody resolves, where the bundler itself would not find the file. */
  async resolveForeign(
    context: BundlerContext,
    id: string,
    importer: string | undefined,
  ): Promise<string | undefined> {
    const request = parseForeignRequest(id);
    if (!request) return undefined;
    const file = await resolveFile(context, request.file, importer && splitRequest(importer).file);
    return file !== undefined && this.isOurs(file) ? `${file}${request.query}` : undefined;
  }

  /**
   * For wasm files with a query that nobody loads.
   *
   * @throws WasmPrecompileError `UNKNOWN_FORM`
   */
  refuseForeign(id: string): void {
    const request = parseForeignRequest(id);
    if (request && this.isOurs(request.file)) {
      throw unknownForm(request.file, request.query, this.settings.urlImports);
    }
  }

  /**
   * A core module that uses a proposal which our reader does not know may run all the same: in the forms that
   * need no interface it is shipped plain.
   */
  async #loadUnknown(
    context: BundlerContext,
    { file, form }: ImportRequest,
    error: unknown,
  ): Promise<string> {
    const code = error instanceof WasmPrecompileError ? error.code : undefined;
    const needsNone = form === 'init' || form === 'module' || form === 'shared' || form === 'file';
    // Code that loads it by itself may know more of it: a component, or something else altogether.
    if ((code !== 'UNSUPPORTED_WASM' || !needsNone) && (code !== 'INVALID_WASM' || form !== 'file'))
      throw error;
    const wire = await readBytes(file);
    const isCore = isCoreModule(wire);
    if (!isCore && form !== 'file') throw error;
    const noInterface = { imports: [], exports: [] };
    if (context.platform === 'browser' && (form === 'init' || form === 'module')) {
      const loader = formatRequest({ file, form: 'shared' });
      return generateBrowserModule(form, loader, noInterface, (module) => module, false);
    }
    if (isCore) this.#warn(`${messageOf(error)} It is shipped as plain wasm.`);
    const name = moduleName(file);
    const output = this.#outputOf(context);
    output.note({ file, name, sha256: sha256(wire) }, { kind: 'plain', why: 'it cannot be read' });
    if (form === 'file') {
      return generateFileModule(output.emit(context, `${name}.wasm`, wire), undefined, context.runningFile);
    }
    const source = plainSource(this.#place(context), { file, name, wire }, {});
    return form === 'shared'
      ? generateSharedHandle(source, false)
      : generateNodeModule(form as 'init' | 'module', source, noInterface, (module) => module);
  }

  /** An output is about to be written to a folder: an absolute path, undefined where the bundler does not say. */
  startOutput(folder: string | undefined, format: string | undefined): void {
    this.checkFormat(format);
    if (folder !== undefined) this.#folders.set(folder, (this.#folders.get(folder) ?? 0) + 1);
  }

  /**
   * @throws WasmPrecompileError `UNSUPPORTED_FORMAT` where the output format has no top-level await and a module
   *   needs it
   */
  checkFormat(format: string | undefined): void {
    const [file] = this.#awaited;
    if (file === undefined || format === undefined || /^(es|esm|module|system|systemjs)$/.test(format))
      return;
    throw new WasmPrecompileError(
      'UNSUPPORTED_FORMAT',
      `${file}: importing the exports of a wasm module needs top-level await, which the output format "${format}" ` +
        'does not have. Import it as `?init` or `?module`, or set the output format to "es".',
    );
  }

  /** What makes chunks begin to load modules early; undefined where none may. */
  webStart(context: BundlerContext): EarlyStart | undefined {
    return this.settings.web?.early ? this.#webStartOf([this.#outputOf(context)]) : undefined;
  }

  /**
   * A page that begins to load what it needs, as Vite takes it: its text and tags for it.
   *
   * @param html path of its HTML file in the output
   * @param entry name of the chunk that it runs
   * @param nameOf of an emitted file, by its URL expression
   */
  startPage(
    text: string,
    html: string,
    graph: ChunkGraph,
    entry: string,
    nameOf: (url: string) => string | undefined,
  ): { html: string; tags: HtmlTagDescriptor[] } {
    const { web } = this.settings;
    if (!web?.early) return { html: text, tags: [] };
    const outputs = [...this.#outputs.values()];
    const start = this.#webStartOf(outputs);
    const { preload, delivery, integrity } = this.#options.web;
    const lazily = preload === 'all';
    const needed = findStarters(start, graph, entry);
    const starters = lazily ? findStarters(start, graph, entry, true) : needed;
    const urlOf = (fileName: string) => web.urlInHtml(fileName, html);
    const later = findLater(start, graph, entry, lazily)
      .filter((chunk) => !starters.includes(chunk))
      .map(({ fileName }) => fileName);
    // No link asks for a range, and Firefox does not use one with a hash: it would load twice.
    const linked = preload === 'link' && delivery !== 'range' && !integrity ? starters : [];
    const files = linked
      .flatMap(({ moduleIds }) => moduleIds.flatMap((id) => outputs.map((output) => output.webUrl(id))))
      .map((url) => url && nameOf(url))
      .filter((file) => file !== undefined);
    const urlsOf = (chunks: readonly GraphChunk[]) => chunks.map(({ fileName }) => urlOf(fileName));
    return {
      html: startBefore(text, urlsOf(starters.filter((chunk) => !needed.includes(chunk)))),
      tags: [
        ...preloadTags(files.map(urlOf)),
        ...startTags(urlsOf(starters)),
        ...laterTags(web.preloaded(later, html, entry).map(urlOf)),
      ],
    };
  }

  #webStartOf(outputs: readonly EnvironmentOutput[]): EarlyStart {
    const isLoader = (id: string) => outputs.some((output) => output.webUrl(id) !== undefined);
    return {
      isLoader,
      isGlue: (id) => parseRequest(id) !== undefined || isRuntime(id),
      isOurs: (id) => isLoader(id) || isRuntime(id),
    };
  }

  /** Runs the output that was written, and trims its artifacts to what was executed. */
  async train(context: BundlerContext, output: WrittenOutput): Promise<void> {
    this.#tellBy(context);
    const { folder, update } = output;
    const artifacts = this.#outputOf(context).untrained(output.find);
    if (!this.#training || artifacts.length === 0 || folder === undefined) return;
    const own = new Set(artifacts.map(({ name }) => name));
    const shared = (this.#folders.get(folder) ?? 0) > 1;
    const trimmed = await this.#training.apply({
      folder,
      keepNames: shared ? SHARED_FOLDER : output.keepNames,
      files: [...output.files().filter(({ name }) => !own.has(name)), ...artifacts],
      artifacts,
      update,
    });
    for (const { source, contents, manifest } of trimmed) {
      this.#report?.add(manifest);
      this.#outputOf(context).note(source, describeContents(contents, this.#pipeline.unsplitReason(source)));
    }
  }

  /** Tells in one line what became of the modules, in watch mode of those that are new, and where the report is; warns of what was of no use. */
  async summarize(context: BundlerContext, folder: string | undefined): Promise<void> {
    const unused = this.#pipeline.describeUnusedProfiles();
    if (unused !== undefined) context.warn(unused);
    const parts = [this.#outputOf(context).summarize(), await this.#writeReport(context, folder)];
    const line = parts.filter((part) => part !== undefined).join('; ');
    if (line !== '') context.info(line);
  }

  /** @returns what to say of it; undefined where there is none */
  async #writeReport({ watchMode }: BundlerContext, folder: string | undefined): Promise<string | undefined> {
    if (!this.#report || watchMode || folder === undefined) return undefined;
    try {
      const file = await this.#report.write(folder);
      return file === undefined ? undefined : `report: ${relative(process.cwd(), file)}`;
    } catch (error) {
      this.#warn(`There is no report: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Whether a file is handled here and not by the bundler. */
  isOurs(file: string): boolean {
    // Not a path: a file of Vite's public folder, or another plugin's virtual module.
    return this.#options.filter(file) && isAbsolute(file) && existsSync(file);
  }

  /**
   * Other wasm modules are imported with their globals as they are, JavaScript modules as usual.
   *
   * @throws WasmPrecompileError `UNRESOLVED_IMPORT`
   */
  async #resolveWasmImport(
    context: BundlerContext,
    module: string,
    names: readonly string[],
    { file }: ImportRequest,
  ): Promise<string> {
    if (module.endsWith('.wasm')) {
      const imported = await resolveFile(context, module, file);
      if (imported !== undefined && this.isOurs(imported)) {
        return formatRequest({ file: imported, form: 'instance' });
      }
    }
    const found = isFoundByNode(module, file) || (await context.resolve(module, file));
    if (!found) throw unresolvedImport(file, module, names);
    return module;
  }

  /** The bundler takes warnings by way of the hook that is running. */
  #tellBy(context: BundlerContext): void {
    this.#tell = (message) => context.warn(message);
  }

  #warn(message: string): void {
    if (!this.#told.has(message)) this.#tell(message);
    this.#told.add(message);
  }

  #place(context: BundlerContext): Place {
    const { platform } = context;
    return { context, platform, settings: this.settings, output: this.#outputOf(context) };
  }

  #outputOf({ environment }: BundlerContext): EnvironmentOutput {
    const output = this.#outputs.get(environment) ?? new EnvironmentOutput();
    this.#outputs.set(environment, output);
    return output;
  }
}
