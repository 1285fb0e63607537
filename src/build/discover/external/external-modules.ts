/**
 * Precompiles wasm files of packages outside the bundle, and generates the register file: the program's entries
 * import it first, and it recognises these modules when the packages compile them.
 */
import { basename } from 'node:path';
import { messageOf } from '../../../common/error.ts';
import { formatBytes } from '../../../common/format-bytes.ts';
import type { BundlerContext, WrittenOutput } from '../../bundler-context.ts';
import { generateRegister, type RegisterFormat, registerName } from '../../codegen/register.ts';
import type { Pipeline } from '../../compile/pipeline.ts';
import type { SourceModule } from '../../compile/read-source.ts';
import type { ResolvedOptions } from '../../options/resolve.ts';
import type { LoadContext, ModuleSources } from '../../output/module-sources.ts';
import type { ExternalImport, WasmPackage } from './packages.ts';
import { type ExternalWasm, traceExternalWasm } from './trace.ts';

export interface ExternalModulesSetup {
  options: ResolvedOptions;
  pipeline: Pipeline;
  sources: ModuleSources;
  warn: (message: string) => void;
}

/** A file of the output that the plugin generates. */
export interface GeneratedFile {
  name: string;
  code: string;
}

/** Limits for one package. A build without training compiles each function, which takes V8 a second for 2 MiB. */
const MAX_MODULES = 8;
const MAX_BYTES = 64 * 1024 ** 2;
const MAX_SECONDS = 60;
const BYTES_PER_SECOND = 2 * 1024 ** 2;

/** Names of files that a message lists. */
const NAMES_SHOWN = 3;

/** The modules of one build run. */
export class ExternalModules {
  readonly #setup: ExternalModulesSetup;
  /** By environment. */
  readonly #found = new Map<string, SourceModule[]>();

  constructor(setup: ExternalModulesSetup) {
    this.#setup = setup;
  }

  /**
   * Traces packages, and reads the wasm files that their code names.
   *
   * @param imports that the bundler leaves in the output
   */
  async trace(load: LoadContext, imports: readonly ExternalImport[]): Promise<void> {
    const { context, output } = load;
    this.#found.delete(context.environment);
    if (imports.length === 0) return;
    let files: ExternalWasm[];
    let unnamed: WasmPackage[];
    try {
      ({ files, unnamed } = await traceExternalWasm(imports));
    } catch (error) {
      this.#setup.warn(
        `Packages outside the bundle cannot be traced: ${messageOf(error)} Their wasm files are compiled at startup.`,
      );
      return;
    }
    for (const each of unnamed) context.info(describeUnnamed(each));
    const sources: SourceModule[] = [];
    for (const wasmPackage of new Set(files.map((file) => file.package))) {
      const own = files.filter((file) => file.package === wasmPackage);
      // oxlint-disable-next-line no-await-in-loop
      const read = await Promise.all(own.map((each) => this.#read(load, each)));
      const modules = read.filter((source) => source !== undefined);
      const excess = this.#describeExcess(wasmPackage, modules);
      if (excess === undefined) sources.push(...modules);
      else this.#setup.warn(excess);
    }
    for (const { file, script } of files) output.noteLoadingScript(file, script);
    if (sources.length > 0) this.#found.set(context.environment, sources);
  }

  /** Whether the entries of an output import the register file. */
  has({ environment }: BundlerContext): boolean {
    return this.#found.has(environment);
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
    const sources = this.#found.get(load.context.environment) ?? [];
    if (sources.length === 0) return undefined;
    const { options } = this.#setup;
    const nameOf = (url: string) => {
      const name = find(load.output.idOf(url))?.name;
      if (name === undefined) throw new Error('an emitted file is missing in the output');
      return name;
    };
    const artifacts = await Promise.all(
      sources.map((source) => this.#setup.sources.emitRecognised(load, source)),
    );
    const [first] = artifacts;
    if (!first) return undefined;
    const code = await generateRegister(format, {
      artifacts: artifacts.map(({ url, manifest, split }) => ({ name: nameOf(url), manifest, split })),
      addons: first.addons.map(([key, url, checksum]) => [key, nameOf(url), checksum]),
      options,
      recompile: first.recompile && {
        options: first.recompile.options,
        host: nameOf(first.recompile.host),
        compiler: nameOf(first.recompile.compiler),
      },
    });
    return { name: registerName(format), code };
  }

  /** Undefined for files that the build ships as they are: too small, excluded, or not readable. */
  async #read({ output }: LoadContext, { file }: ExternalWasm): Promise<SourceModule | undefined> {
    const { options, pipeline, sources } = this.#setup;
    if (!options.filter(file.replaceAll('\\', '/'))) return undefined;
    let source;
    try {
      source = await pipeline.read(file);
    } catch {
      // The engine says what is wrong when the program compiles it. A package may have it for tests only.
      return undefined;
    }
    const decision = sources.decideRecognised(source);
    // The program passes the complete file to the engine, so nothing is stripped.
    if (decision.kind === 'precompile') return { ...source, wire: source.bytes };
    output.note(source, decision);
    return undefined;
  }

  #describeExcess(wasmPackage: WasmPackage, modules: readonly SourceModule[]): string | undefined {
    const bytes = modules.reduce((sum, { wire }) => sum + wire.length, 0);
    const seconds = (bytes / BYTES_PER_SECOND) * this.#setup.options.targets.length;
    if (modules.length <= MAX_MODULES && bytes <= MAX_BYTES && seconds <= MAX_SECONDS) return undefined;
    const time = seconds < 90 ? `${Math.round(seconds)} seconds` : `${Math.round(seconds / 60)} minutes`;
    return (
      `${describePackage(wasmPackage)}: ${modules.length} modules, ${formatBytes(bytes)}, about ${time} to compile: they are not ` +
      `precompiled. The limits for a package outside the bundle are ${MAX_MODULES} modules, ${formatBytes(MAX_BYTES)} and ` +
      `${MAX_SECONDS} seconds. Bundle the package, or leave its wasm files out with \`exclude\` to hide this message.`
    );
  }
}

function describeUnnamed(wasmPackage: WasmPackage): string {
  const names = wasmPackage.wasmFiles.slice(0, NAMES_SHOWN).map((file) => basename(file));
  const more = wasmPackage.wasmFiles.length - names.length;
  return (
    `${describePackage(wasmPackage)}: its code names none of its wasm files (${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}): ` +
    'they are compiled at startup'
  );
}

function describePackage({ name, version }: WasmPackage): string {
  return `${name}@${version}`;
}
