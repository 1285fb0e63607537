/** Writes the page: one HTML file with all its data, code and styles, which makes no requests. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { writeAtomic } from '../common/write-atomic.ts';
import type { ReportData } from './report-data.ts';

/** Default file name of a folder's report. */
export const REPORT_NAME = 'wasm-precompile-report.html';

/** The page's code and style exist only in the build, also if this file runs from the sources. */
const PAGE = new URL('../../dist/report/', import.meta.url);

/** The page contains copies of these libraries, so it must contain their licences. */
const LICENCES = ['echarts/NOTICE', 'echarts/LICENSE', 'echarts/LICENSE-d3', 'zrender/LICENSE'];

/** The contents of a page besides its data. */
interface PageResources {
  script: string;
  style: string;
  licences: string;
}

/**
 * Writes a report completely or not at all.
 *
 * @throws WasmPrecompileError `UNWRITABLE_FILE`; `UNREADABLE_FILE` if a file of the package is missing
 */
export async function writeReport(file: string, data: ReportData): Promise<void> {
  const [script, style, ...licences] = await Promise.all([
    readResource('page.js'),
    readResource('page.css'),
    ...LICENCES.map((name) => readResource(`licences/${name}`)),
  ]);
  try {
    await writeAtomic(
      file,
      Buffer.from(renderPage(data, { script, style, licences: licences.join('\n\n') })),
    );
  } catch (error) {
    throw new WasmPrecompileError('UNWRITABLE_FILE', `${file}: cannot be written: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function readResource(name: string): Promise<string> {
  const file = fileURLToPath(new URL(name, PAGE));
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new WasmPrecompileError(
      'UNREADABLE_FILE',
      `${file}: cannot be read: ${messageOf(error)}. It is part of the package: install the package again, or run \`npm run build\` in a clone.`,
      { cause: error },
    );
  }
}

/** The content security policy forbids all requests, of which the page makes none. */
function renderPage(data: ReportData, { script, style, licences }: PageResources): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${escapeText(data.title)}</title>
<style>
${style.trim()}
</style>
</head>
<body>
<main id="page"><noscript>This report needs JavaScript to draw its numbers.</noscript></main>
<details class="licences"><summary>Licences of the libraries in this page</summary>
<pre>${escapeText(licences)}</pre>
</details>
<script type="application/json" id="data">${escapeJson(data)}</script>
<script type="module">
${escapeScript(script)}
</script>
</body>
</html>
`;
}

/** Escapes JSON so that no text in it ends the script element or begins a comment. */
function escapeJson(data: ReportData): string {
  return JSON.stringify(data).replaceAll('<', String.raw`\u003c`);
}

/**
 * Escapes code, in which `<` is also an operator: only before what HTML detects, which occurs in strings and
 * comments.
 */
function escapeScript(script: string): string {
  return script.replaceAll(/<(?=\/script|script|!--)/gi, String.raw`\x3c`);
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
