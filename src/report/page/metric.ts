/** Metrics, of which the reader selects one. */
import { select } from './dom.ts';

export interface Metric<Measured> {
  label: string;
  value: (measured: Measured) => number;
  format: (value: number) => string;
}

/** At least one metric; the first is shown initially. */
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
