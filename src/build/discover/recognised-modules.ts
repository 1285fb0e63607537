/**
 * Modules that a program compiles itself: their files are named in bundled code, or belong to packages outside the
 * bundle. The build precompiles them beside the output, and generates the register file: the program's entries import
 * it first, and it recognises the modules by their bytes.
 */
import type { BundlerContext, WrittenOutput } from '../bundler-context.ts';
import { generateRegister, type RegisterFormat, registerName } from '../codegen/register.ts';
import { decideForNode } from '../compile/decide.ts';
import type { SourceModule } from '../compile/read-source.ts';
import type { ResolvedOptions } from '../options/resolve.ts';
import type { LoadContext, ModuleSources } from '../output/module-sources.ts';

/** A file of the output that the plugin generates. */
export interface GeneratedFile {
  name: string;
  code: string;
}

/** The modules of one environment. */
interface Recognised {
  /** By path. In watch mode a bundler does not load unchanged code again, so they stay. */
  bundled: Map<string, SourceModule>;
  external: readonly SourceModule[];
}

export class RecognisedModules {
  readonly #options: ResolvedOptions;
  readonly #sources: ModuleSources;
  /** Whether a training run may find more modules. */
  readonly #trains: boolean;
  readonly #environments = new Map<string, Recognised>();

  constructor(options: ResolvedOptions, sources: ModuleSources, trains: boolean) {
    this.#options = options;
    this.#sources = sources;
    this.#trains = trains;
  }

  /** A build run starts: in watch mode one of many. */
  start(context: BundlerContext): void {
    if (!context.watchMode) this.#environments.delete(context.environment);
  }

  /** Adds a file that bundled code loads. */
  addBundled({ context, output, settings }: LoadContext, source: SourceModule): void {
    const { bundled } = this.#of(context);
    bundled.delete(source.file);
    const decision = !this.#options.recognise
      ? { kind: 'startup' as const, reason: 'code loads it itself, and the option `recognise` is off' }
      : settings.library
        ? { kind: 'startup' as const, reason: 'code of a library loads it itself' }
        : decideForNode(source, this.#options.threshold);
    if (decision.kind === 'precompile') bundled.set(source.file, source);
    else output.note(source, decision);
  }

  /** Sets the modules of packages outside the bundle. */
  setExternal(context: BundlerContext, sources: readonly SourceModule[]): void {
    this.#of(context).external = sources;
  }

  /** Whether the entries of an output import the register file. */
  has(context: BundlerContext): boolean {
    return this.#mayDiscover(context) || this.#list(context).length > 0;
  }

  #mayDiscover({ platform, watchMode }: BundlerContext): boolean {
    return this.#trains && this.#options.recognise && platform === 'node' && !watchMode;
  }

  /** The output cannot have a register file: says why its modules are not precompiled. */
  refuse({ context, output }: LoadContext, reason: string): void {
    for (const source of this.#list(context)) output.note(source, { kind: 'startup', reason });
  }

  /**
   * Emits the artifacts, and generates the register file for the root of the output.
   *
   * @param find returns an emitted file by its id
   * @returns undefined if there is no module to recognise
   */
  async generate(
    load: LoadContext,
    format: RegisterFormat,
    find: WrittenOutput['find'],
  ): Promise<GeneratedFile | undefined> {
    const nameOf = (url: string) => {
      const name = find(load.output.idOf(url))?.name;
      if (name === undefined) throw new Error('an emitted file is missing in the output');
      return name;
    };
    const artifacts = await Promise.all(
      this.#list(load.context).map((source) => this.#sources.emitRecognised(load, source)),
    );
    const trains = this.#mayDiscover(load.context);
    if (artifacts.length === 0 && !trains) return undefined;
    const { addons, recompile } = await this.#sources.emitShared(load);
    const code = await generateRegister(format, {
      artifacts: artifacts.map(({ url, manifest, split }) => ({ name: nameOf(url), manifest, split })),
      addons: addons.map(([key, url, checksum]) => [key, nameOf(url), checksum]),
      options: this.#options,
      recompile: recompile && {
        options: recompile.options,
        host: nameOf(recompile.host),
        compiler: nameOf(recompile.compiler),
      },
      trains,
    });
    return { name: registerName(format), code };
  }

  /** Each module once. The program passes the complete file to the engine, so nothing is stripped. */
  #list(context: BundlerContext): SourceModule[] {
    const { bundled, external } = this.#of(context);
    const bySha256 = new Map([...bundled.values(), ...external].map((source) => [source.sha256, source]));
    return [...bySha256.values()].map((source) => ({ ...source, wire: source.bytes }));
  }

  #of({ environment }: BundlerContext): Recognised {
    const known = this.#environments.get(environment) ?? { bundled: new Map(), external: [] };
    this.#environments.set(environment, known);
    return known;
  }
}
