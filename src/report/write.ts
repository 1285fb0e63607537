/** Makes the page: one HTML file with everything in it, which asks nobody for anything. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { writeAtomic } from '../common/write-atomic.ts';
import type { ReportData } from './data.ts';

/** Where the report of a folder goes, unless somebody says otherwise. */
export const REPORT_NAME = 'wasm-precompile-report.html';

/** The page's code and style are files of the build, whoever runs this file. */
const PAGE = new URL('../../dist/report/', import.meta.url);

/** Whoever gets the page gets a copy of what is in its code: the page has to say so, in these words. */
const LICENCES = ['echarts/NOTICE', 'echarts/LICENSE', 'echarts/LICENSE-d3', 'zrender/LICENSE'];

/** What a page is made of, besides its data. */
interface Parts {
  script: string;
  style: string;
  licences: string;
}

/**
 * Writes a report whole or not at all.
 *
 * @throws WasmPrecompileError `UNWRITABLE_FILE`; `UNREADABLE_FILE` where the package itself is not complete
 */
export async function writeReport(file: string, data: ReportData): Promise<void> {
  const [script, style, ...licences] = await Promise.all([
    readPart('page.js'),
    readPart('page.css'),
    ...LICENCES.map((name) => readPart(`licences/${name}`)),
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

async function readPart(name: string): Promise<string> {
  const file = fileURLToPath(new URL(name, PAGE));
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new WasmPrecompileError(
      'UNREADABLE_FILE',
      `${file}: cannot be read: ${messageOf(error)}. It is a part of the package: install it again, or in a clone run \`npm run build\`.`,
      { cause: error },
    );
  }
}

/** The policy forbids what the page does not do anyway: to load anything from anywhere. */
function renderPage(data: ReportData, { script, style, licences }: Parts): string {
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
<main id="page"><noscript>The numbers of this report are drawn by JavaScript, which is switched off here.</noscript></main>
<details class="licences"><summary>Licences of what draws this page</summary>
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

/** No text in it can end the element that it is in, nor begin a comment there. */
function escapeJson(data: ReportData): string {
  return JSON.stringify(data).replaceAll('<', String.raw`\u003c`);
}

/** The same for code, where `<` is also an operator: only what HTML looks for, which in code is in strings and comments. */
function escapeScript(script: string): string {
  return script.replaceAll(/<(?=\/script|script|!--)/gi, String.raw`\x3c`);
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
