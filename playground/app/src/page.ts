/** The page: each result with the startup times of its module. */
import type { QueryResult } from './modules/sql.ts';
import { QUERY } from './modules/sql-statements.ts';
import { SAMPLE } from './sample-source.ts';
import { digest, type Startup, type StartupTimes } from './startup.ts';
import style from './page.css?raw';

export interface PageContents {
  /** Mode of the build. */
  mode: string;
  sql: Startup<QueryResult>;
  resvg: Startup<Uint8Array>;
  swc: Startup<string>;
}

export function renderPage({ mode, sql, resvg, swc }: PageContents): string {
  const total = sql.times.total + resvg.times.total + swc.times.total;
  const longest = Math.max(sql.times.total, resvg.times.total, swc.times.total);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(mode)}: three wasm modules, one page</title>
<style>${style}</style>
<header>
  <h1>Three wasm modules, one page</h1>
  <p>Built <strong class="${escape(mode)}">${escape(mode)}</strong>, served by Node ${process.versions.node}.
  Time from the request to all three results: <strong>${milliseconds(total)}</strong>.</p>
</header>
<main>
${renderSection('sql.js', 'Numbers from a query', sql, longest, `${renderRows(sql.result)}${renderSource('The query', QUERY)}`)}
${renderSection(
  '@resvg/resvg-wasm',
  'A picture rendered from SVG',
  resvg,
  longest,
  `<img src="data:image/png;base64,${Buffer.from(resvg.result).toString('base64')}" width="480" height="270" alt="A sailing boat on a lake at dusk">`,
)}
${renderSection('@swc/wasm-web', 'Code transformed', swc, longest, `<pre>${escape(swc.result)}</pre>${renderSource('From this TypeScript', SAMPLE)}`)}
</main>
<footer>The modules were started at the first request to this server; reloading shows the same page. Restart the
server to measure again.</footer>
</html>
`;
}

/** `data-result` is the digest that the playground compares between builds. */
function renderSection(
  name: string,
  title: string,
  start: Startup<unknown>,
  longest: number,
  body: string,
): string {
  return `<section data-module="${escape(name)}" data-result="${digest(start.result)}">
  <h2>${escape(title)} <small>${escape(name)}</small></h2>
  ${renderTimes(start.times, longest)}
  ${body}
</section>`;
}

function renderTimes({ load, instantiate, call, total }: StartupTimes, longest: number): string {
  const steps = { load, instantiate, 'first call': call };
  const bars = Object.entries(steps).map(
    ([step, time], index) =>
      `<span class="step${index}" style="width: ${((100 * time) / longest).toFixed(2)}%" title="${step}"></span>`,
  );
  const items = Object.entries(steps).map(
    ([step, time], index) => `<div class="step${index}"><dt>${step}</dt><dd>${milliseconds(time)}</dd></div>`,
  );
  return `<div class="bar" aria-hidden="true">${bars.join('')}</div>
  <dl>${items.join('')}<div><dt>total</dt><dd><strong>${milliseconds(total)}</strong></dd></div></dl>`;
}

function renderRows({ columns, values }: QueryResult): string {
  const head = columns.map((column) => `<th>${escape(column)}</th>`).join('');
  const rows = values.map((row) => {
    const cells = row.map((value) =>
      typeof value === 'number'
        ? `<td class="number">${value.toLocaleString('en')}</td>`
        : `<td>${escape(value ?? '')}</td>`,
    );
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<table><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function renderSource(title: string, source: string): string {
  return `<details><summary>${escape(title)}</summary><pre>${escape(source.trim())}</pre></details>`;
}

function milliseconds(time: number): string {
  return `${time.toFixed(1)} ms`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
