/** Measures modules in all modes, each sample in a fresh process, and checks that all modes compute the same. */
import {
  BENCH_MODES,
  type BenchCase,
  type BenchMode,
  type BenchSample,
  type BenchSamples,
} from '../../src/report/report-data.ts';
import type { NodeChoice } from './nodes.ts';
import type { ProgressLine } from './progress.ts';
import { type Candidate, measureInTurn, type Outcome } from './rounds.ts';
import { type StartupSample, startModule } from './start-module.ts';

/** The program that a build has written for one mode, or the reason why there is none. */
export type BuiltProgram = { missing: string } | { missing?: undefined; file: string };

/** `warm` starts the program of `precompiled`. */
export type BuiltPrograms = Record<Exclude<BenchMode, 'warm'>, BuiltProgram>;

export interface CaseSetup {
  module: string;
  node: NodeChoice;
  programs: BuiltPrograms;
  /** Arguments of the programs. */
  args: readonly string[];
}

export interface MeasureOptions {
  rounds: number;
  /** Seconds for each process. */
  timeLimit: number;
  progress: ProgressLine;
  /** Text for the progress line. */
  what: string;
}

export async function measureCases(
  setups: readonly CaseSetup[],
  { rounds, timeLimit, progress, what }: MeasureOptions,
): Promise<BenchCase[]> {
  const candidates = setups.flatMap((setup) => createCandidates(setup, timeLimit));
  const outcomes = await measureInTurn(candidates, rounds, progress, what);
  return setups.map(({ module, node }, index) => {
    const first = index * BENCH_MODES.length;
    const modes = Object.fromEntries(
      outcomes
        .slice(first, first + BENCH_MODES.length)
        .map((outcome, mode) => [BENCH_MODES[mode], toSamples(outcome)]),
    ) as Record<BenchMode, BenchSamples>;
    return { module, node: node.version, modes };
  });
}

/** Creates a candidate for each mode. All results must be equal to the first one. */
function createCandidates(
  { node, programs, args }: CaseSetup,
  timeLimit: number,
): Candidate<StartupSample>[] {
  let reference: { mode: BenchMode; digest: string } | undefined;
  return BENCH_MODES.map((mode) => {
    const warm = mode === 'warm';
    const program = programs[warm ? 'precompiled' : mode];
    let loaded: string | undefined;
    return async (warmUp) => {
      if (node.missing !== undefined) throw new Error(node.missing);
      if (program.missing !== undefined) throw new Error(program.missing);
      const command = [node.path, program.file, ...args, ...(warm ? ['warm'] : [])] as const;
      const sample = await startModule(command, warmUp, { timeLimit });
      reference ??= { mode, digest: sample.digest };
      if (sample.digest !== reference.digest) {
        throw new Error(`the result differs from that of ${reference.mode}`);
      }
      if (warmUp) ({ loaded } = sample);
      else if (sample.loaded !== undefined && sample.loaded !== loaded) {
        throw new Error('only some processes used native code');
      }
      return sample;
    };
  });
}

function toSamples(outcome: Outcome<StartupSample>): BenchSamples {
  if (outcome.missing !== undefined) return outcome;
  const { warmUp, samples } = outcome;
  return { loaded: warmUp.loaded ?? 'compiled', samples: samples.map(toSample) };
}

function toSample({ times, peakMemory }: StartupSample): BenchSample {
  return { ...times, peakMemory };
}
