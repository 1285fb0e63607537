/** The modes of a benchmark, as the page shows them. */
import { BENCH_MODES, type BenchMode } from '../data.ts';
import { legend } from './section.ts';

export const colourOf = (mode: BenchMode) => `mode-${mode}`;

const MEANINGS: Readonly<Record<BenchMode, string>> = {
  plain: 'plain: as without the plugin',
  precompiled: 'precompiled: native code for all functions',
  unsplit: 'unsplit: for what a training run executed, in whole modules',
  profile: 'profile: for what a training run executed, and split where that pays',
  warm: 'warm: the limit, in a process that has run it before',
};

export function modeLegend(modes: readonly BenchMode[] = BENCH_MODES): HTMLElement {
  return legend(modes.map((mode) => ({ name: MEANINGS[mode], colour: colourOf(mode) })));
}
