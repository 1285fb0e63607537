/** What all parts of the bench share. */
import type { NodeChoice } from '../support/nodes.ts';
import type { ProgressLine } from '../support/progress.ts';

export interface BenchContext {
  /** For temporary files; npm packages resolve from it. */
  folder: string;
  nodes: readonly NodeChoice[];
  rounds: number;
  /** Seconds for each process that is measured. */
  timeLimit: number;
  progress: ProgressLine;
  /** Less of everything. */
  quick: boolean;
}
