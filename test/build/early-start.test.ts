/** Where a page's HTML gets the scripts that have to run before its entry. */
import { expect, it } from 'vitest';
import { startBefore } from '../../src/build/output/early-start.ts';

const ENTRY = '<script type="module" crossorigin src="./assets/main.js"></script>';
const STARTS = '<script type="module" crossorigin src="a.js"></script>\n';

it.each([
  ['the entry', `<head>${ENTRY}</head>`, '<head>', `${ENTRY}</head>`],
  ['what Vite has put in its place', `<p></p>${ENTRY}${ENTRY}`, '<p></p>', `${ENTRY}${ENTRY}`],
  [
    'the first one that waits for its turn',
    `<script src="old.js"></script><script type="module" async src="b.js"></script><script type="module">1</script>${ENTRY}`,
    '<script src="old.js"></script><script type="module" async src="b.js"></script><script type="module">1</script>',
    ENTRY,
  ],
])('before %s', (_, html, before, after) => {
  expect(startBefore(html, ['a.js'])).toBe(`${before}${STARTS}${after}`);
  expect(startBefore(html, [])).toBe(html);
});

it('nowhere, where no script waits', () => {
  for (const html of [
    '',
    '<script type="module" async src="a.js"></script>',
    '<script src="a.js"></script>',
  ]) {
    expect(startBefore(html, ['b.js'])).toBe(html);
  }
});
