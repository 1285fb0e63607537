/** The report of a build: what the artifacts hold that were written, after training. */
import { basename, dirname, join, relative, resolve } from 'node:path';
import { findArtifacts } from '../../report/artifacts.ts';
import type { ArtifactReport } from '../../report/data.ts';
import { describeMachine, today } from '../../report/machine.ts';
import { REPORT_NAME, writeReport } from '../../report/write.ts';

/** For one plugin, which may write several outputs: one report of them all. */
export class BuildReport {
  readonly #file: string | undefined;
  /** Of the artifacts that were made. What earlier builds have left in a folder is none of this one. */
  readonly #buildIds = new Set<string>();
  /** Output folders with artifacts. */
  readonly #folders = new Set<string>();

  /** @param option `true`: beside the first output folder; else a path */
  constructor(option: true | string) {
    this.#file = option === true ? undefined : resolve(option);
  }

  /** An artifact was made, and may be written. */
  add({ buildId }: { buildId: string }): void {
    this.#buildIds.add(buildId);
  }

  /**
   * An output was written: writes the report of all outputs so far.
   *
   * @param folder absolute path
   * @returns the report's path; undefined where no output has an artifact
   */
  async write(folder: string): Promise<string | undefined> {
    const folders = [...this.#folders, ...(this.#folders.has(folder) ? [] : [folder])];
    const artifacts: ArtifactReport[] = [];
    for (const each of folders) {
      // An earlier output may have been trained with this one.
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
      starts: [],
    });
    return file;
  }
}
