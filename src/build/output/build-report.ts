/** The report of a build: the contents of its artifacts, after training. */
import { basename, dirname, join, relative, resolve } from 'node:path';
import { findArtifacts } from '../../report/find-artifacts.ts';
import type { ArtifactReport } from '../../report/report-data.ts';
import { describeMachine, today } from '../../report/machine.ts';
import { REPORT_NAME, writeReport } from '../../report/write-report.ts';

/** Serves one plugin, which may write several outputs: one report covers all of them. */
export class BuildReport {
  readonly #file: string | undefined;
  /** Build ids of this build's artifacts: an output folder may also hold artifacts of earlier builds. */
  readonly #buildIds = new Set<string>();
  /** Output folders that hold artifacts of this build. */
  readonly #folders = new Set<string>();

  /** @param option `true`: beside the first output folder; else a path */
  constructor(option: true | string) {
    this.#file = option === true ? undefined : resolve(option);
  }

  /** Adds an artifact that the build may write. */
  add({ buildId }: { buildId: string }): void {
    this.#buildIds.add(buildId);
  }

  /**
   * Writes the report of all outputs so far, after an output was written.
   *
   * @param folder absolute path
   * @returns the report's path; undefined if no output has an artifact
   */
  async write(folder: string): Promise<string | undefined> {
    const folders = [...this.#folders, ...(this.#folders.has(folder) ? [] : [folder])];
    const artifacts: ArtifactReport[] = [];
    for (const each of folders) {
      // Read again: training of this output may have changed the artifacts of an earlier one.
      // oxlint-disable-next-line no-await-in-loop
      const found = await findArtifacts(each, (buildId) => this.#buildIds.has(buildId));
      if (found.artifacts.length > 0) this.#folders.add(each);
      const name = (file: string) => (folders.length > 1 ? `${basename(each)}/${file}` : file);
      artifacts.push(...found.artifacts.map((one) => ({ ...one, file: name(one.file) })));
    }
    const [first] = this.#folders;
    if (first === undefined) return undefined;
    const file = this.#file ?? join(dirname(first), REPORT_NAME);
    await writeReport(file, {
      title: `WebAssembly in ${basename(first)}`,
      machine: describeMachine(),
      date: today(),
      command: `wasm-precompile report ${relative(process.cwd(), first) || '.'}`,
      artifacts,
      startups: [],
    });
    return file;
  }
}
