/** SVG charts by Apache ECharts. The page contains only the components that are registered here. */
import { CustomChart, LineChart, TreemapChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TooltipComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { element } from './dom.ts';
import { onThemeChange, readTheme, type Theme } from './theme.ts';

use([CustomChart, LineChart, TreemapChart, GridComponent, LegendComponent, TooltipComponent, SVGRenderer]);

export interface Drawing {
  /** CSS pixels. */
  height: number;
  /** Description of the chart for screen readers. */
  label: string;
  /** @param width CSS pixels */
  option(theme: Theme, width: number): EChartsCoreOption;
}

export interface Chart {
  element: HTMLElement;
  draw(drawing: Drawing): void;
}

/** Redraws each chart of the page. */
const redraws: (() => void)[] = [];

const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) sizes.get(target)?.();
});
const sizes = new WeakMap<Element, () => void>();

onThemeChange(() => {
  for (const redraw of redraws) redraw();
});

/** Creates a chart that is drawn when it is in the page, and again when its width or the theme changes. */
export function createChart(first: Drawing): Chart {
  const box = element('div', { class: 'chart', role: 'img' });
  let drawing = first;
  let drawn: ReturnType<typeof init> | undefined;
  const redraw = () => {
    const width = box.clientWidth;
    if (width === 0) return;
    box.style.height = `${drawing.height}px`;
    box.setAttribute('aria-label', drawing.label);
    drawn ??= init(box, null, { renderer: 'svg' });
    drawn.resize({ width, height: drawing.height });
    const theme = readTheme();
    drawn.setOption({ ...common(theme), ...drawing.option(theme, width) }, { notMerge: true });
  };
  redraws.push(redraw);
  sizes.set(box, redraw);
  observer.observe(box);
  return {
    element: box,
    draw(next) {
      drawing = next;
      redraw();
    },
  };
}

/** Options of all charts. Animations are off, so that numbers appear immediately. */
function common({ text, font }: Theme): EChartsCoreOption {
  return {
    animation: false,
    backgroundColor: 'transparent',
    textStyle: { color: text, fontFamily: font, fontSize: 12 },
  };
}

/** Creates a tooltip from an element, so that names are not parsed as HTML. */
export function tooltip(theme: Theme, describe: (parameters: unknown) => HTMLElement | string): object {
  return {
    confine: true,
    backgroundColor: theme.surface,
    borderColor: theme.line,
    textStyle: { color: theme.text, fontSize: 12 },
    extraCssText: 'max-width: min(32rem, 80vw); white-space: normal; overflow-wrap: anywhere;',
    formatter: describe,
  };
}

export function tooltipText(title: string, ...lines: readonly string[]): HTMLElement {
  return element('div', {}, element('strong', {}, title), ...lines.map((line) => element('div', {}, line)));
}
