/** Colours and legend of the modes of a benchmark. */
import { BENCH_MODES, type BenchMode } from '../report-data.ts';
import { legend } from './section.ts';

export const colourOf = (mode: BenchMode) => `mode-${mode}`;

const MEANINGS: Readonly<Record<BenchMode, string>> = {
  baseline: 'baseline: the same program without the plugin',
  precompiled: 'precompiled: native code for all functions',
  unsplit: 'unsplit: native code for the functions that a training run executed, modules not split',
  profile: 'profile: the same, and modules are split if that saves enough',
  warm: 'warm: the limit, in a process that has run the module before',
};

export function modeLegend(modes: readonly BenchMode[] = BENCH_MODES): HTMLElement {
  return legend(modes.map((mode) => ({ name: MEANINGS[mode], colour: colourOf(mode) })));
}
