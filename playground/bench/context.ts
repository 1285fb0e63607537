/** Settings that all parts of the benchmark share. */
import type { NodeChoice } from '../support/nodes.ts';
import type { ProgressLine } from '../support/progress.ts';

export interface BenchContext {
  /** Folder for temporary files, from which npm packages resolve. */
  folder: string;
  nodes: readonly NodeChoice[];
  rounds: number;
  /** Time limit of each measured process, in seconds. */
  timeLimit: number;
  progress: ProgressLine;
  /** Measures fewer modules, sizes and tasks. */
  quick: boolean;
}
