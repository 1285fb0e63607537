/** Creates elements and tables. All strings are inserted as text, because names come from untrusted modules. */

export type Child = Node | string;

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export interface Cell {
  content: Child;
  /** Number of rows that the cell spans; default: 1. */
  rows?: number;
  title?: string;
  /** The header cell of its row. */
  head?: boolean;
  /** The reason why a result is missing. */
  missing?: boolean;
}

export type Row = readonly (Cell | string)[];

/** @param heads column heads; a `#` at the end, which is not shown, marks a column of numbers */
export function table(caption: string, heads: readonly string[], rows: readonly Row[]): HTMLElement {
  const columns = heads.map((head) => ({
    text: head.replace(/#$/, ''),
    numeric: head.endsWith('#'),
  }));
  const headRow = columns.map(({ text, numeric }) =>
    element('th', { scope: 'col', ...(numeric && { class: 'number' }) }, text),
  );
  const body = element('tbody');
  // For each column: the number of further rows that an earlier cell spans.
  const taken = columns.map(() => 0);
  for (const row of rows) {
    const line = element('tr');
    const cells = row.values();
    for (const [index, { numeric }] of columns.entries()) {
      if ((taken[index] ?? 0) > 0) {
        taken[index] = (taken[index] ?? 0) - 1;
        continue;
      }
      const next = cells.next();
      if (next.done) break;
      const cell: Cell = typeof next.value === 'string' ? { content: next.value } : next.value;
      taken[index] = (cell.rows ?? 1) - 1;
      line.append(
        element(
          cell.head ? 'th' : 'td',
          {
            ...(cell.head && { scope: (cell.rows ?? 1) > 1 ? 'rowgroup' : 'row' }),
            ...((cell.rows ?? 1) > 1 && { rowspan: String(cell.rows) }),
            ...(cell.title !== undefined && { title: cell.title }),
            class: [numeric && !cell.missing ? 'number' : '', cell.missing ? 'missing' : ''].join(' ').trim(),
          },
          cell.content,
        ),
      );
    }
    body.append(line);
  }
  // Focusable, so that the keyboard can scroll a table that is wider than the screen.
  return element(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    element(
      'table',
      {},
      element('caption', {}, caption),
      element('thead', {}, element('tr', {}, ...headRow)),
      body,
    ),
  );
}

/** Creates a collapsed section. */
export function details(summary: string, ...children: readonly Child[]): HTMLElement {
  return element('details', {}, element('summary', {}, summary), ...children);
}

export function paragraph(...children: readonly Child[]): HTMLElement {
  return element('p', {}, ...children);
}

export interface Choice<Value> {
  label: string;
  value: Value;
}

/** Creates a labelled `<select>`; an empty text if there is only one choice. */
export function select<Value>(
  label: string,
  choices: readonly Choice<Value>[],
  choose: (value: Value) => void,
): HTMLElement | string {
  if (choices.length < 2) return '';
  const options = choices.map((choice, index) => element('option', { value: String(index) }, choice.label));
  const list = element('select', {}, ...options);
  list.addEventListener('change', () => {
    const choice = choices[list.selectedIndex];
    if (choice) choose(choice.value);
  });
  return element('label', {}, `${label} `, list);
}
