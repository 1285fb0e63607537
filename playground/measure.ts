/** Measures the application's modules in each of its builds. */
import type { BenchCase } from '../src/report/report-data.ts';
import { MODULES } from './app/src/modules/index.ts';
import { outputFile } from './build.ts';
import { measureCases } from './support/cases.ts';
import type { InstalledNode } from './support/nodes.ts';
import { createProgressLine } from './support/progress.ts';
import { describeMissing } from './support/table.ts';

/** Seconds for one process. */
const TIME_LIMIT = 60;

/** @throws Error if any result is missing: in the playground, everything should work */
export async function measureApp(nodes: readonly InstalledNode[], rounds: number): Promise<BenchCase[]> {
  const programs = {
    baseline: { file: outputFile('baseline', 'measure.js') },
    precompiled: { file: outputFile('precompiled', 'measure.js') },
    unsplit: { file: outputFile('unsplit', 'measure.js') },
    profile: { file: outputFile('profile', 'measure.js') },
  };
  const setups = Object.keys(MODULES).flatMap((module) =>
    nodes.map((node) => ({ module, node, programs, args: [module] })),
  );
  const cases = await measureCases(setups, {
    rounds,
    timeLimit: TIME_LIMIT,
    progress: createProgressLine(),
    what: 'Measuring',
  });
  const missing = describeMissing(cases);
  if (missing.length > 0) throw new Error(missing.join('\n'));
  return cases;
}
