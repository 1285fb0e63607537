/** The result of `bench:web`, with all samples. */
import type { WebMode } from '../../web/modes.ts';

export interface WebBenchResult {
  machine: string;
  date: string;
  command: string;
  browser: string;
  rounds: number;
  cases: WebCase[];
}

/** One page under one set of conditions. */
export interface WebCase {
  module: string;
  /** Bytes of the module. */
  wasmSize: number;
  visit: 'first' | 'cached';
  /** Whether the host compresses; irrelevant for cached visits. */
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
      /** Milliseconds in which the main thread was busy. */
      blocked: number[];
      /** Bytes on the wire, for the whole page. */
      bytes: number;
    };
