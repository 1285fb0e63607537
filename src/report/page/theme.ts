/** Colours: those of the style sheet, which has a set for light and one for dark. */

export interface Theme {
  text: string;
  muted: string;
  line: string;
  surface: string;
  font: string;
  /** By the names of custom properties without `--`: `mode-plain`, `step-load` … */
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

/** Calls back when the reader switches between light and dark. */
export function onThemeChange(change: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', change);
}

/** A colour between two in hexadecimal form (`#rrggbb`), 0 being the first. */
export function mix(from: string, to: string, part: number): string {
  const channels = [1, 3, 5].map((index) => {
    const [a = 0, b = 0] = [from, to].map((colour) => Number.parseInt(colour.slice(index, index + 2), 16));
    return Math.round(a + (b - a) * part)
      .toString(16)
      .padStart(2, '0');
  });
  return `#${channels.join('')}`;
}
