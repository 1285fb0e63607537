/** A section of the page: a heading with an anchor for the navigation, and its contents. */
import { type Child, element } from './dom.ts';

export interface Section {
  id: string;
  title: string;
  element: HTMLElement;
}

export function section(id: string, title: string, ...children: readonly Child[]): Section {
  const heading = element('h2', { id: `${id}-title` }, title);
  return {
    id,
    title,
    element: element('section', { id, 'aria-labelledby': `${id}-title` }, heading, ...children),
  };
}

/** Creates a card: a chart with its title. */
export function card(title: string, note: string, ...children: readonly Child[]): HTMLElement {
  const head = element('h3', {}, title);
  if (note !== '') head.append(' ', element('small', {}, note));
  return element('div', { class: 'card' }, head, ...children);
}

export function cards(...children: readonly HTMLElement[]): HTMLElement {
  return element('div', { class: 'cards' }, ...children);
}

/** Creates a list of sentences about missing results; an empty text without sentences. */
export function notes(sentences: readonly string[]): HTMLElement | string {
  if (sentences.length === 0) return '';
  return element('ul', { class: 'notes' }, ...sentences.map((sentence) => element('li', {}, sentence)));
}

/** Creates a legend of colours. */
export function legend(entries: readonly { name: string; colour: string }[]): HTMLElement {
  return element(
    'ul',
    { class: 'legend' },
    ...entries.map(({ name, colour }) => {
      const swatch = element('span', { class: 'swatch', 'aria-hidden': 'true' });
      swatch.style.background = `var(--${colour})`;
      return element('li', {}, swatch, name);
    }),
  );
}
