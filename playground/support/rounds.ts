/**
 * Measures candidates in turn: one fresh process of each in every round, so that a drift of the machine's speed
 * affects all of them equally. One additional round before them warms up the machine.
 */
import { messageOf } from '../../src/common/error.ts';
import type { ProgressLine } from './progress.ts';
import { estimateTimeLeft } from './time-left.ts';

/** Starts one process. */
export type Candidate<Sample> = (warmUp: boolean) => Promise<Sample>;

/** One sample for each round, or the reason why there are none. */
export type Outcome<Sample> =
  | { missing: string }
  | { missing?: undefined; warmUp: Sample; samples: Sample[] };

/** Excludes a candidate after its first failure; the others continue. */
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
    // The process before may still keep the machine busy. Alternating the order changes which one that is.
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
