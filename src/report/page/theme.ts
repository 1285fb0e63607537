/** Colours of the style sheet, which has a light and a dark theme. */

export interface Theme {
  text: string;
  muted: string;
  line: string;
  surface: string;
  font: string;
  /** @param name custom property without `--`: `mode-baseline`, `step-load` … */
  colour(name: string): string;
}

export function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    text: colour('text'),
    muted: colour('muted'),
    line: colour('line'),
    surface: colour('surface'),
    font: getComputedStyle(document.body).fontFamily,
    colour,
  };
}

/** Calls `change` when the theme switches between light and dark. */
export function onThemeChange(change: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', change);
}

/** Mixes two colours in hexadecimal form (`#rrggbb`). @param share 0 for the first colour, 1 for the second */
export function mix(from: string, to: string, share: number): string {
  const channels = [1, 3, 5].map((index) => {
    const [a = 0, b = 0] = [from, to].map((colour) => Number.parseInt(colour.slice(index, index + 2), 16));
    return Math.round(a + (b - a) * share)
      .toString(16)
      .padStart(2, '0');
  });
  return `#${channels.join('')}`;
}
