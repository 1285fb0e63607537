/**
 * Measures in turn: fresh processes, one of each candidate in every round, so that a drift of the machine's speed meets each
 * of them alike. One round goes before, to warm up the machine.
 */
import { messageOf } from '../../src/common/error.ts';
import type { ProgressLine } from './progress.ts';
import { estimateTimeLeft } from './time-left.ts';

/** Starts one process. */
export type Candidate<Sample> = (warmUp: boolean) => Promise<Sample>;

/** One sample for each round, or why there are none. */
export type Outcome<Sample> =
  | { missing: string }
  | { missing?: undefined; warmUp: Sample; samples: Sample[] };

/** Who fails once is left out from then on; the others go on. */
export async function measureInTurn<Sample>(
  candidates: readonly Candidate<Sample>[],
  rounds: number,
  progress: ProgressLine,
  what: string,
): Promise<Outcome<Sample>[]> {
  const failures = new Map<number, string>();
  const samples = candidates.map((): Sample[] => []);
  const left = estimateTimeLeft(candidates.length * (rounds + 1));
  for (let round = 0; round <= rounds; round += 1) {
    const order = [...candidates.entries()];
    // What went before may still keep the machine busy: it is another one in every second round.
    if (round % 2 === 1) order.reverse();
    for (const [turn, [index, start]] of order.entries()) {
      const doing = round === 0 ? 'warming up' : `round ${round} of ${rounds}`;
      progress.update(`${what}: ${doing}, process ${turn + 1} of ${candidates.length}${left.describe()} …`);
      if (!failures.has(index)) {
        try {
          samples[index]?.push(await start(round === 0));
        } catch (error) {
          failures.set(index, messageOf(error));
        }
      }
      left.done(1);
    }
  }
  progress.end();
  return samples.map(([warmUp, ...counted], index) => {
    const missing = failures.get(index);
    if (missing !== undefined || warmUp === undefined) return { missing: missing ?? 'nothing was measured' };
    return { warmUp, samples: counted };
  });
}
