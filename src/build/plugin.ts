/** The plugin, independent of the bundler: `src/bundlers` calls it from the bundler's hooks. */
import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { BundlerContext, BundlerSettings, WrittenOutput } from './bundler-context.ts';
import type { Platform } from './codegen/module-source.ts';
import type { RegisterFormat } from './codegen/register.ts';
import { createPipeline } from './compile/pipeline.ts';
import { createProgress } from './compile/progress.ts';
import { Diagnostics } from './diagnostics.ts';
import { ExternalModules } from './discover/external/external-modules.ts';
import type { ExternalImport } from './discover/external/packages.ts';
import { type GeneratedFile, RecognisedModules } from './discover/recognised-modules.ts';
import {
  type RewrittenScript,
  rewriteRuntimeLoading,
  type ScriptHost,
} from './discover/rewrite-runtime-loading.ts';
import { Lifecycle } from './lifecycle.ts';
import type { ResolvedOptions } from './options/resolve.ts';
import { BuildReport } from './output/build-report.ts';
import type { EarlyLoading } from './output/early-loading.ts';
import { addRegisterTo, type GeneratedOutput } from './output/generated-output.ts';
import { type LoadContext, ModuleSources } from './output/module-sources.ts';
import type { OutputFile } from './output/rewrite-output.ts';
import { Training } from './training/training.ts';
import { addEarlyLoading, earlyLoadingOf, type Page, type PreparedPage } from './pages.ts';
import { RequestLoader } from './requests/load-request.ts';
import { splitRequest } from './requests/request.ts';
import { resolveFile } from './requests/resolve-file.ts';
import { type ResolvedRequest, resolveRequest, resolveUnknownForm } from './requests/resolve-request.ts';
import { isRuntimeModule } from './requests/runtime-modules.ts';
import { rewriteSourceImports } from './requests/source-phase.ts';
import { parseUnknownRequest, unknownForm } from './requests/unknown-form.ts';

export class WasmPlugin {
  settings: BundlerSettings = { dev: false, inlineLimit: () => 0, urlImports: false };
  /** The output format, for bundlers that know it before they load modules. */
  format: string | undefined;
  /** Whether outputs will be trained. */
  readonly trains: boolean;
  readonly #options: ResolvedOptions;
  readonly #diagnostics = new Diagnostics();
  readonly #lifecycle: Lifecycle;
  readonly #loader: RequestLoader;
  readonly #external: ExternalModules;
  readonly #recognised: RecognisedModules;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    const diagnostics = this.#diagnostics;
    const { warn } = diagnostics;
    const progress = createProgress();
    const pipeline = createPipeline(options, { warn, progress });
    const report = options.report === false ? undefined : new BuildReport(options.report);
    const { profile } = options;
    const training = profile?.train
      ? new Training({
          ...profile,
          command: profile.train,
          pipeline,
          threshold: options.threshold,
          warn,
          progress,
        })
      : undefined;
    this.trains = training !== undefined;
    this.#lifecycle = new Lifecycle({ pipeline, diagnostics, training, report });
    const sources = new ModuleSources({ options, pipeline, training: this.trains, report, warn });
    this.#external = new ExternalModules({ options, pipeline, warn });
    this.#recognised = new RecognisedModules(options, sources, this.trains);
    this.#loader = new RequestLoader({
      options,
      pipeline,
      sources,
      recognised: this.#recognised,
      diagnostics,
      handles: (file) => this.handles(file),
      outputOf: (context) => this.#lifecycle.outputOf(context),
      requireTopLevelAwait: (file) => this.#lifecycle.requireTopLevelAwait(file, this.format),
    });
  }

  /** What runs the output: the option if there is one, else what the bundler declares. */
  platform(declared: Platform | undefined): Platform {
    return this.#options.platform ?? declared ?? 'node';
  }

  /**
   * Whether the plugin handles a file and not the bundler. Ids that are no absolute path are files of a public
   * folder, or virtual modules of other plugins.
   */
  handles(file: string): boolean {
    return this.#options.filter(file) && isAbsolute(file) && existsSync(file);
  }

  start(context: BundlerContext): void {
    this.#lifecycle.start(context);
    this.#recognised.start(context);
  }

  warn(context: BundlerContext, message: string): void {
    this.#diagnostics.printThrough(context);
    this.#diagnostics.warn(message);
  }

  resolve(
    context: BundlerContext,
    id: string,
    importer: string | undefined,
  ): Promise<ResolvedRequest | undefined> {
    return resolveRequest(context, id, importer, this.#options.filter);
  }

  load(context: BundlerContext, id: string): Promise<string | undefined> {
    return this.#loader.load(context, id, this.settings);
  }

  /** Rewrites source phase imports of wasm files to other imports; undefined if there are none. */
  async transform(
    context: BundlerContext,
    code: string,
    id: string,
  ): Promise<{ code: string; map: null } | undefined> {
    const importer = splitRequest(id).file;
    const rewritten = await rewriteSourceImports(code, importer, async (specifier) => {
      const file = await resolveFile(context, specifier, importer);
      return file !== undefined && this.handles(file);
    });
    return rewritten === undefined ? undefined : { code: rewritten, map: null };
  }

  /** Resolves a wasm file with an unknown query, for bundlers that do not find such files. */
  resolveUnknownForm(
    context: BundlerContext,
    id: string,
    importer: string | undefined,
  ): Promise<string | undefined> {
    return resolveUnknownForm(context, id, importer, (file) => this.handles(file));
  }

  /**
   * Refuses a wasm file with a query that no plugin has loaded.
   *
   * @throws WasmPrecompileError `UNKNOWN_FORM`
   */
  refuseUnknownForm(id: string): void {
    const request = parseUnknownRequest(id);
    if (request && this.handles(request.file)) {
      throw unknownForm(request.file, request.query, this.settings.urlImports);
    }
  }

  /** Whether scripts are scanned for code that loads wasm files at run time or obtains modules dynamically. */
  detectsRuntimeLoading(platform: Platform): boolean {
    const { dev, plain } = this.settings;
    return platform === 'node' && !dev && plain === undefined && (this.#options.detect || this.#maySplit);
  }

  get #maySplit(): boolean {
    return this.#options.split !== undefined && this.#options.profile !== undefined;
  }

  /** Rewrites code that loads wasm files at run time or obtains modules dynamically; undefined if nothing changes. */
  async rewriteRuntimeLoading(
    context: BundlerContext,
    code: string,
    id: string,
    host: ScriptHost,
  ): Promise<RewrittenScript | undefined> {
    if (!this.detectsRuntimeLoading(context.platform)) return undefined;
    if (!host.hasNode && this.#options.platform === undefined) return undefined;
    if (isRuntimeModule(id)) return undefined;
    const output = this.#lifecycle.outputOf(context);
    return rewriteRuntimeLoading(context, code, id, {
      ...host,
      detect: this.#options.detect,
      dynamic: this.#maySplit,
      isHandled: (file) => this.handles(file),
      found: (file) => output.noteLoadingScript(file, splitRequest(id).file),
    });
  }

  /** Whether packages outside the bundle are traced. */
  tracesExternals(platform: Platform): boolean {
    return this.#options.external && this.mayRegister(platform);
  }

  /** Finds the wasm files of packages outside the bundle. @param imports that the bundler leaves in the output */
  async traceExternals(context: BundlerContext, imports: readonly ExternalImport[]): Promise<void> {
    this.#diagnostics.printThrough(context);
    const sources = await this.#external.find(this.#loadContext(context), imports);
    this.#recognised.setExternal(context, sources);
  }

  /** Whether the entries of an output import the register file first. */
  needsRegister(context: BundlerContext): boolean {
    return this.mayRegister(context.platform) && this.#recognised.has(context);
  }

  /** Whether an output for this platform may get a register file. */
  mayRegister(platform: Platform): boolean {
    const { dev, plain, library } = this.settings;
    return this.#options.recognise && platform === 'node' && !dev && !library && plain === undefined;
  }

  /** See {@link RecognisedModules.generate}. */
  generateRegister(
    context: BundlerContext,
    format: RegisterFormat,
    find: WrittenOutput['find'],
  ): Promise<GeneratedFile | undefined> {
    return this.#recognised.generate(this.#loadContext(context), format, find);
  }

  /** See {@link RecognisedModules.refuse}. */
  refuseRegister(context: BundlerContext, reason: string): void {
    this.#recognised.refuse(this.#loadContext(context), reason);
  }

  /**
   * Traces packages outside the bundle, and adds the register file to an output that is already generated.
   *
   * @param output or why it cannot have a register file
   * @returns the files that were added
   */
  async addRegister(context: BundlerContext, output: GeneratedOutput | string): Promise<OutputFile[]> {
    if (typeof output === 'string') {
      this.refuseRegister(context, output);
      return [];
    }
    if (this.tracesExternals(context.platform)) await this.traceExternals(context, output.imports);
    if (!this.needsRegister(context)) return [];
    return addRegisterTo(output, context, (emitting, find) =>
      this.generateRegister(emitting, output.format, find),
    );
  }

  #loadContext(context: BundlerContext): LoadContext {
    const output = this.#lifecycle.outputOf(context);
    return { context, platform: context.platform, settings: this.settings, output };
  }

  /** See {@link Lifecycle.startOutput}. */
  startOutput(folder: string | undefined, format: string | undefined): void {
    this.#lifecycle.startOutput(folder, format);
  }

  /** Returns which chunks load wasm files early; undefined if none may. */
  earlyLoading(context: BundlerContext): EarlyLoading | undefined {
    return this.settings.web?.early ? earlyLoadingOf([this.#lifecycle.outputOf(context)]) : undefined;
  }

  /** Makes a page load its wasm files early, if it may. */
  preparePage(page: Page): PreparedPage {
    const { web } = this.settings;
    if (!web?.early) return { html: page.html, tags: [] };
    return addEarlyLoading(page, web, this.#options.web, this.#lifecycle.outputs());
  }

  /** See {@link Lifecycle.train}. */
  train(context: BundlerContext, output: WrittenOutput): Promise<void> {
    return this.#lifecycle.train(context, output);
  }

  /** See {@link Lifecycle.summarize}. */
  summarize(context: BundlerContext, folder: string | undefined): Promise<void> {
    return this.#lifecycle.summarize(context, folder);
  }
}
