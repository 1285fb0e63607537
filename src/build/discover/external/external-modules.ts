/** Finds the modules of packages outside the bundle that are worth precompiling. */
import { basename } from 'node:path';
import { messageOf } from '../../../common/error.ts';
import { formatBytes } from '../../../common/format-bytes.ts';
import { decideForNode } from '../../compile/decide.ts';
import type { Pipeline } from '../../compile/pipeline.ts';
import type { SourceModule } from '../../compile/read-source.ts';
import type { ResolvedOptions } from '../../options/resolve.ts';
import type { LoadContext } from '../../output/module-sources.ts';
import type { ExternalImport, WasmPackage } from './packages.ts';
import { type ExternalTrace, type ExternalWasm, traceExternalWasm } from './trace.ts';

export interface ExternalModulesSetup {
  options: ResolvedOptions;
  pipeline: Pipeline;
  warn: (message: string) => void;
}

/** Limits for one package. A build without training compiles each function, which takes V8 a second for 2 MiB. */
const MAX_MODULES = 8;
const MAX_BYTES = 64 * 1024 ** 2;
const MAX_SECONDS = 60;
const BYTES_PER_SECOND = 2 * 1024 ** 2;

/** Names of files that a message lists. */
const NAMES_SHOWN = 3;

export class ExternalModules {
  readonly #setup: ExternalModulesSetup;
  /** By the imports. */
  readonly #traces = new Map<string, Promise<ExternalTrace>>();

  constructor(setup: ExternalModulesSetup) {
    this.#setup = setup;
  }

  /**
   * Traces packages, and reads the wasm files that their code names.
   *
   * @param imports that the bundler leaves in the output
   * @returns the modules to precompile
   */
  async find(load: LoadContext, imports: readonly ExternalImport[]): Promise<SourceModule[]> {
    const { context, output } = load;
    if (imports.length === 0) return [];
    let files: ExternalWasm[];
    let unnamed: WasmPackage[];
    try {
      ({ files, unnamed } = await this.#trace(imports));
    } catch (error) {
      this.#setup.warn(
        `Packages outside the bundle cannot be traced: ${messageOf(error)} Their wasm files are compiled at startup.`,
      );
      return [];
    }
    for (const each of unnamed) context.info(describeUnnamed(each));
    if (unnamed.length + files.length > 0) output.noteOthers();
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
    return sources;
  }

  /** Several outputs and rebuilds import the same. */
  #trace(imports: readonly ExternalImport[]): Promise<ExternalTrace> {
    const key = imports
      .map(({ specifier, folder }) => `${specifier}\0${folder}`)
      .toSorted()
      .join('\n');
    const known = this.#traces.get(key);
    if (known) return known;
    const trace = traceExternalWasm(imports);
    this.#traces.set(key, trace);
    // The next run tries again.
    trace.catch(() => this.#traces.delete(key));
    return trace;
  }

  /** Undefined for files that the build ships as they are: too small, excluded, or not readable. */
  async #read({ output }: LoadContext, { file }: ExternalWasm): Promise<SourceModule | undefined> {
    const { options, pipeline } = this.#setup;
    if (!options.filter(file.replaceAll('\\', '/'))) return undefined;
    let source;
    try {
      source = await pipeline.read(file);
    } catch {
      // The engine says what is wrong when the program compiles it. A package may have it for tests only.
      return undefined;
    }
    const decision = decideForNode(source, options.threshold);
    if (decision.kind === 'precompile') return source;
    output.note(source, decision);
    return undefined;
  }

  #describeExcess(wasmPackage: WasmPackage, modules: readonly SourceModule[]): string | undefined {
    const bytes = modules.reduce((sum, source) => sum + source.bytes.length, 0);
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
