/** The life of a build: it starts, writes outputs, may train what it wrote, and prints a summary. */
import { relative } from 'node:path';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import type { BundlerContext, WrittenOutput } from './bundler-context.ts';
import type { Pipeline } from './compile/pipeline.ts';
import { isRegisterName } from './codegen/register.ts';
import type { Diagnostics } from './diagnostics.ts';
import type { BuildReport } from './output/build-report.ts';
import { EnvironmentOutput } from './output/environment-output.ts';
import { describeContents } from './output/summary.ts';
import { SHARED_FOLDER, type Training } from './training/training.ts';

/** Output formats with top-level await, by the names that bundlers give them. */
const FORMATS_WITH_AWAIT = /^(es|esm|module|system|systemjs)$/;

export interface LifecycleSetup {
  pipeline: Pipeline;
  diagnostics: Diagnostics;
  /** Undefined if the options do not ask for training. */
  training: Training | undefined;
  /** Undefined if the options do not ask for a report. */
  report: BuildReport | undefined;
}

export class Lifecycle {
  readonly #setup: LifecycleSetup;
  /** By the name of the bundler's environment; bundlers without environments have one. */
  readonly #outputs = new Map<string, EnvironmentOutput>();
  /** How many outputs were written, or are about to be, by folder. */
  readonly #folders = new Map<string, number>();
  #saidNothingFound = false;
  /** Wasm files imported in the form that needs top-level await. */
  readonly #awaited = new Set<string>();

  constructor(setup: LifecycleSetup) {
    this.#setup = setup;
  }

  /** A build run starts: in watch mode one of many. */
  start(context: BundlerContext): void {
    this.#setup.diagnostics.start(context);
    this.outputOf(context).start(context);
    this.#awaited.clear();
  }

  outputOf({ environment }: BundlerContext): EnvironmentOutput {
    const output = this.#outputs.get(environment) ?? new EnvironmentOutput();
    this.#outputs.set(environment, output);
    return output;
  }

  /** The outputs of all environments. */
  outputs(): EnvironmentOutput[] {
    return [...this.#outputs.values()];
  }

  /**
   * The code generated for a wasm file awaits at the top level.
   *
   * @param format the output format; undefined if the bundler does not say yet
   * @throws WasmPrecompileError `UNSUPPORTED_FORMAT`
   */
  requireTopLevelAwait(file: string, format: string | undefined): void {
    this.#awaited.add(file);
    this.#checkFormat(format);
  }

  /**
   * An output is about to be written.
   *
   * @param folder absolute path; undefined if the bundler does not say
   * @throws WasmPrecompileError `UNSUPPORTED_FORMAT`
   */
  startOutput(folder: string | undefined, format: string | undefined): void {
    this.#checkFormat(format);
    if (folder !== undefined) this.#folders.set(folder, (this.#folders.get(folder) ?? 0) + 1);
  }

  #checkFormat(format: string | undefined): void {
    const [file] = this.#awaited;
    if (file === undefined || format === undefined || FORMATS_WITH_AWAIT.test(format)) return;
    throw new WasmPrecompileError(
      'UNSUPPORTED_FORMAT',
      `${file}: importing the exports of a wasm module needs top-level await, which the output format "${format}" ` +
        'does not have. Import it as `?init` or `?module`, or set the output format to "es".',
    );
  }

  /** Runs the output that was written, and trims its artifacts to the functions that were executed. */
  async train(context: BundlerContext, written: WrittenOutput): Promise<void> {
    const { diagnostics, training, report, pipeline } = this.#setup;
    diagnostics.printThrough(context);
    const { folder, update } = written;
    const output = this.outputOf(context);
    const artifacts = output.untrained(written.find);
    if (!training || folder === undefined || context.watchMode) return;
    const files = written.files();
    if (artifacts.length === 0 && !files.some(({ name }) => isRegisterName(name))) return;
    const names = new Set(artifacts.map(({ name }) => name));
    const shared = (this.#folders.get(folder) ?? 0) > 1;
    const { trimmed, discovered } = await training.apply({
      folder,
      keepNames: shared ? SHARED_FOLDER : written.keepNames,
      files: [...files.filter(({ name }) => !names.has(name)), ...artifacts],
      artifacts,
      update,
    });
    for (const { source } of discovered) output.noteDiscovered(source);
    for (const { source, contents, manifest } of [...trimmed, ...discovered]) {
      report?.add(manifest);
      output.note(source, describeContents(contents, pipeline.unsplitReason(source)));
    }
  }

  /**
   * Prints one line with the outcome of each module and the path of the report. In watch mode the line names only
   * modules that are new or have changed.
   */
  async summarize(context: BundlerContext, folder: string | undefined): Promise<void> {
    const { diagnostics, pipeline } = this.#setup;
    diagnostics.printThrough(context);
    const unused = pipeline.describeUnusedProfiles();
    if (unused !== undefined) diagnostics.warn(unused);
    const clauses = [this.outputOf(context).summarize(), await this.#writeReport(context, folder)];
    const line = clauses.filter((clause) => clause !== undefined).join('; ');
    if (line !== '') context.info(line);
    else this.#sayNothingFound(context);
  }

  /** Once, for a server's output: a build for pages may belong to a server that is built next. */
  #sayNothingFound({ platform, watchMode, info }: BundlerContext): void {
    if (platform === 'browser' || watchMode || this.#saidNothingFound) return;
    if (this.outputs().some(({ isEmpty }) => !isEmpty)) return;
    this.#saidNothingFound = true;
    info(
      'no WebAssembly to precompile was found, neither in the code of this build nor in the packages outside of it. ' +
        'If the program compiles some all the same, `profile: { train }` finds it.',
    );
  }

  /** @returns the report's path, for the summary; undefined if no report was written */
  async #writeReport({ watchMode }: BundlerContext, folder: string | undefined): Promise<string | undefined> {
    const { diagnostics, report } = this.#setup;
    if (!report || watchMode || folder === undefined) return undefined;
    try {
      const file = await report.write(folder);
      return file === undefined ? undefined : `report: ${relative(process.cwd(), file)}`;
    } catch (error) {
      diagnostics.warn(`Failed to write the report: ${messageOf(error)}`);
      return undefined;
    }
  }
}
