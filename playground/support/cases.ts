/** Measures modules in all modes, each sample in a fresh process, and sees that all modes compute the same. */
import {
  BENCH_MODES,
  type BenchCase,
  type BenchMode,
  type BenchSample,
  type BenchSamples,
} from '../../src/report/data.ts';
import type { NodeChoice } from './nodes.ts';
import type { ProgressLine } from './progress.ts';
import { type Candidate, measureInTurn, type Outcome } from './rounds.ts';
import { type StartSample, startModule } from './start.ts';

/** What a build has written for one mode, or why there is nothing. */
export type BuiltProgram = { missing: string } | { missing?: undefined; file: string };

/** `warm` is the limit of `precompiled`, whose program it starts. */
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
  /** For the progress line. */
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

/** One for each mode. The first to end says what the others' results should be. */
function createCandidates({ node, programs, args }: CaseSetup, timeLimit: number): Candidate<StartSample>[] {
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
        throw new Error(`the result is another one than that of ${reference.mode}`);
      }
      if (warmUp) ({ loaded } = sample);
      else if (sample.loaded !== undefined && sample.loaded !== loaded) {
        throw new Error('native code was used in some processes only');
      }
      return sample;
    };
  });
}

function toSamples(outcome: Outcome<StartSample>): BenchSamples {
  if (outcome.missing !== undefined) return outcome;
  const { warmUp, samples } = outcome;
  return { loaded: warmUp.loaded ?? 'compiled', samples: samples.map(toSample) };
}

function toSample({ times, peakMemory }: StartSample): BenchSample {
  return { ...times, peakMemory };
}
