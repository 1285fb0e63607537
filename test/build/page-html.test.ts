/** The position of the scripts that a page's HTML runs before its entry. */
import { expect, it } from 'vitest';
import { insertLoadingScripts } from '../../src/build/output/page-html.ts';

const ENTRY = '<script type="module" crossorigin src="./assets/main.js"></script>';
const LOADING = '<script type="module" crossorigin src="a.js"></script>\n';

it.each([
  ['the entry', `<head>${ENTRY}</head>`, '<head>', `${ENTRY}</head>`],
  [
    'the scripts that Vite puts in place of the entry',
    `<p></p>${ENTRY}${ENTRY}`,
    '<p></p>',
    `${ENTRY}${ENTRY}`,
  ],
  [
    'the first script that runs in document order',
    `<script src="old.js"></script><script type="module" async src="b.js"></script><script type="module">1</script>${ENTRY}`,
    '<script src="old.js"></script><script type="module" async src="b.js"></script><script type="module">1</script>',
    ENTRY,
  ],
])('inserts scripts before %s', (_, html, before, after) => {
  expect(insertLoadingScripts(html, ['a.js'])).toBe(`${before}${LOADING}${after}`);
  expect(insertLoadingScripts(html, [])).toBe(html);
});

it('inserts nothing if no script runs in document order', () => {
  for (const html of [
    '',
    '<script type="module" async src="a.js"></script>',
    '<script src="a.js"></script>',
  ]) {
    expect(insertLoadingScripts(html, ['b.js'])).toBe(html);
  }
});
