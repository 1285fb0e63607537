/** What `bench:web` keeps: every sample. */
import type { WebMode } from '../../web/modes.ts';

export interface WebBenchResult {
  machine: string;
  date: string;
  command: string;
  browser: string;
  rounds: number;
  /** Milliseconds of other work in the page. */
  cases: WebCase[];
}

/** One page under one set of conditions. */
export interface WebCase {
  module: string;
  /** Bytes of the module. */
  wasmSize: number;
  visit: 'first' | 'cached';
  /** Whether the host compresses; on cached visits it does not matter. */
  compressed: boolean;
  network: string;
  modes: { mode: WebMode; outcome: WebOutcome }[];
}

export type WebOutcome =
  | { missing: string }
  | {
      missing?: undefined;
      /** Milliseconds to the first result, in the order of the rounds. */
      totals: number[];
      /** Milliseconds of the main thread. */
      blocked: number[];
      /** On the wire, for the whole page. */
      bytes: number;
    };
