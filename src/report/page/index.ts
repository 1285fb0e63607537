/** The page of a report: draws what is in its element `data` (`../data.ts`). Everything else is in the file already. */
import type { ReportData } from '../data.ts';
import { artifactSection } from './artifact-section.ts';
import { benchSection } from './bench-section.ts';
import { buildSection } from './builds.ts';
import { element } from './dom.ts';
import { growthSection } from './growth-section.ts';
import { peerSection } from './peer-section.ts';
import { startupSection } from './startup-section.ts';
import { treemapSection } from './treemap.ts';

const data = JSON.parse(document.querySelector('#data')?.textContent ?? '') as ReportData;
const { bench } = data;

const sections = [
  artifactSection(data.artifacts, data.unreadable ?? []),
  startupSection(data.starts, data.notes ?? []),
  treemapSection(data.artifacts),
  bench && benchSection(bench),
  bench && growthSection(bench.growth),
  bench && peerSection(bench.peers),
  bench && buildSection(bench.builds),
].filter((section) => section !== undefined);

document
  .querySelector('#page')
  ?.replaceChildren(
    header(),
    ...sections.map((section) => section.element),
    ...(sections.length === 0 ? [element('p', {}, 'There is nothing to show.')] : []),
    footer(),
  );

function header(): HTMLElement {
  const links = sections.map(({ id, title }) => element('li', {}, element('a', { href: `#${id}` }, title)));
  return element(
    'header',
    {},
    element('h1', {}, data.title),
    element(
      'p',
      { class: 'where' },
      element('time', { datetime: data.date }, data.date),
      ` · ${data.machine} · `,
      element('code', {}, data.command),
    ),
    ...(links.length > 1 ? [element('nav', { 'aria-label': 'Sections' }, element('ul', {}, ...links))] : []),
  );
}

function footer(): HTMLElement {
  return element(
    'footer',
    {},
    'Made by unplugin-wasm-precompile, drawn by Apache ECharts. All of it is in this file.',
  );
}
