/** What was measured, of which the reader chooses one at a time. */
import { select } from './dom.ts';

export interface Metric<Measured> {
  label: string;
  value: (measured: Measured) => number;
  format: (value: number) => string;
}

/** At least one: that which is shown at first. */
export type Metrics<Measured> = readonly [Metric<Measured>, ...Metric<Measured>[]];

export function selectMetric<Measured>(
  metrics: Metrics<Measured>,
  choose: (metric: Metric<Measured>) => void,
): HTMLElement | string {
  return select(
    'Show',
    metrics.map((metric) => ({ label: metric.label, value: metric })),
    choose,
  );
}
