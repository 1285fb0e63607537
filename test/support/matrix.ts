/**
 * Builds and runs every bundler, import form and output format. `test/bundlers/matrix.test.ts` compares the
 * results with the README's table, which `npm run matrix:readme` writes.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, resolve } from 'node:path';
import type { Browser } from 'playwright-core';
import { ALL_BUNDLERS, build, buildClient, type BuildOptions, OLDER_VITES } from './bundlers.ts';
import { openPage } from './chromium.ts';
import type { Format, MatrixBundler } from './matrix-labels.ts';
import { createProject, type Files, type Project, run } from './project.ts';
import { watOfValue } from './wat.ts';

const [vite, ...others] = ALL_BUNDLERS;

export const MATRIX_BUNDLERS: MatrixBundler[] = [...(vite ? [vite] : []), ...OLDER_VITES, ...others];

interface Form {
  label: string;
  files: (format: Format) => Files;
  /** Entries in addition to `main.js`. */
  entries?: string[];
  /** Accepted failures: a pattern for the error or the output, and its meaning. */
  reasons: readonly [RegExp, string][];
}

/** The programs' function that reports the result, in Node and in browsers. */
const DONE = `
  function done(value) {
    globalThis.result = value;
    globalThis.process?.stdout?.write(JSON.stringify(value));
  }
`;

/** Returns a function for programs that instantiates the module at a URL. */
function valueAt(format: Format): string {
  const bytes =
    format === 'browser'
      ? 'await (await fetch(url)).arrayBuffer()'
      : `(await import('node:fs')).readFileSync(new URL(url))`;
  return `async function valueAt(url) {
    return (await WebAssembly.instantiate(${bytes})).instance.exports.value();
  }`;
}

const NO_AWAIT: [RegExp, string] = [
  /top-level await|"await" can only be used|"cjs" output/i,
  'CommonJS output has no top-level await',
];

const WASM = { 'one.wasm': watOfValue(7) };

function program(code: string): (format: Format) => Files {
  return (format) => ({ ...WASM, 'main.js': `${code}\n${DONE}\n${valueAt(format)}` });
}

export const FORMS: readonly Form[] = [
  {
    label: '`?module`',
    files: program(`
      import module from './one.wasm?module';
      done(new WebAssembly.Instance(module).exports.value());
    `),
    reasons: [],
  },
  {
    label: '`?init`',
    files: program(`
      import init from './one.wasm?init';
      init().then(({ exports }) => done(exports.value()));
    `),
    reasons: [],
  },
  {
    label: 'exports',
    files: program(`
      import { value } from './one.wasm';
      done(value());
    `),
    reasons: [NO_AWAIT],
  },
  {
    label: '`import source`',
    files: program(`
      import source module from './one.wasm';
      done(new WebAssembly.Instance(module).exports.value());
    `),
    reasons: [
      [
        /expected|unexpected|syntax|parse|source phase|does not provide|import source|panicked|is not exported by|top-level await/i,
        'it does not know source phase imports',
      ],
    ],
  },
  {
    label: 'worker',
    files: (format) => ({
      ...WASM,
      'worker.js': `
        ${format === 'browser' ? '' : `import { parentPort } from 'worker_threads';`}
        import init from './one.wasm?init';
        init().then(({ exports }) => ${format === 'browser' ? '' : 'parentPort.'}postMessage(exports.value()));
      `,
      'main.js': `${
        {
          browser: `
        const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
        worker.onmessage = ({ data }) => done(data);
        worker.onerror = () => done('the worker fails');`,
          es: `
        import { Worker } from 'worker_threads';
        new Worker(new URL('./worker.js', import.meta.url)).on('message', done);`,
          cjs: `
        import { Worker } from 'worker_threads';
        new Worker(__dirname + '/worker.cjs').on('message', done);`,
        }[format]
      }\n${DONE}`,
    }),
    entries: ['worker.js'],
    reasons: [
      [
        /Cannot find module '[^']*project\/worker\.cjs'/,
        '`__dirname` becomes a constant, the folder of the source',
      ],
      [/Cannot find module '[^']*one\.wasm'|the worker fails/, 'it ships the worker as it is, not bundled'],
    ],
  },
  {
    label: '`?url`',
    files: (format) =>
      program(`
        import url from './one.wasm?url';
        ${format === 'browser' ? 'valueAt(url).then(done, (error) => done(String(error)))' : 'done(url)'};
      `)(format),
    reasons: [
      [
        /unknown form|no loader|parse failed|could not resolve|can not (load|resolve)|parse error|is there a loader|unexpected|was not found in/i,
        'it has no `?url`',
      ],
    ],
  },
  {
    label: 'by itself',
    files: (format) =>
      program(
        format === 'cjs'
          ? `import { join } from 'path';
            import { pathToFileURL } from 'url';
            valueAt(pathToFileURL(join(__dirname, 'one.wasm')).href).then(done, (error) => done(String(error)));`
          : `valueAt(new URL('./one.wasm', import.meta.url).href).then(done, (error) => done(String(error)));`,
      )(format),
    reasons: [[/ENOENT|404|expected magic word/i, 'it leaves the URL as it is, and the file where it is']],
  },
];

/**
 * Builds and runs one cell of the table.
 *
 * @returns `precompiled` if native code was loaded, `compiled` if it was not, or `no: ` and the reason for a failure
 * @throws Error if none of the form's reasons explains the failure
 */
export async function runCell(
  bundler: MatrixBundler,
  form: Form,
  format: Format,
  browser: Browser | undefined,
): Promise<string> {
  const files = form.files(format);
  const project = await createProject({
    ...files,
    'index.html':
      '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>',
  });
  try {
    const options: BuildOptions = { entries: form.entries ?? [] };
    return format === 'browser' && browser
      ? await inBrowser(bundler, project, options, browser)
      : await inNode(bundler, project, options, format as 'es' | 'cjs');
  } catch (error) {
    const message = error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : String(error);
    const reason = form.reasons.find(([pattern]) => pattern.test(message));
    if (!reason) throw new Error(`${bundler}, ${form.label}, ${format}: ${message}`, { cause: error });
    return `no: ${reason[1]}`;
  }
}

async function inNode(
  bundler: MatrixBundler,
  project: Project,
  options: BuildOptions,
  format: 'es' | 'cjs',
): Promise<string> {
  const extension = format === 'es' ? 'js' : 'cjs';
  const { dir } = await build(bundler, project, {
    ...options,
    vite: { build: { assetsInlineLimit: 0 } },
    output: { format, entryFileNames: `[name].${extension}`, chunkFileNames: `[name]-[hash].${extension}` },
  });
  const ended = await run(join(dir, `main.${extension}`));
  if (ended.exitCode !== 0) throw new Error(ended.stderr);
  if (ended.stdout !== '7' && !ended.stdout.endsWith('.wasm"')) throw new Error(`printed ${ended.stdout}`);
  const isNative = ended.loads.length > 0 && ended.loads.every(({ how }) => how === 'precompiled');
  if (!isNative && ended.loads.length > 0) throw new Error(ended.stderr);
  return isNative ? 'precompiled' : 'compiled';
}

async function inBrowser(
  bundler: MatrixBundler,
  project: Project,
  options: BuildOptions,
  browser: Browser,
): Promise<string> {
  let dir;
  if (bundler === 'vite' || bundler === 'vite7' || bundler === 'vite6') {
    ({ dir } = await buildClient(project, { bundler, vite: { build: { assetsInlineLimit: 0 } } }));
  } else {
    ({ dir } = await build(bundler, project, {
      ...options,
      plugin: { platform: 'browser' },
      other: { platform: 'browser' },
    }));
    await project.write({ 'out/index.html': await project.read('index.html') });
  }
  const server = await serve(dir);
  try {
    const { port } = server.address() as AddressInfo;
    const { result, errors } = await openPage(browser, `http://127.0.0.1:${port}/`);
    if (result !== 7) throw new Error(`gave ${JSON.stringify(result)}: ${errors.join('; ')}`);
    return 'compiled';
  } finally {
    server.close();
  }
}

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** Starts a static server. */
async function serve(folder: string): Promise<Server> {
  const server = createServer(async ({ url = '/' }, response) => {
    const path = decodeURIComponent(new URL(url, 'http://localhost').pathname);
    const file = resolve(folder, `.${path === '/' ? '/index.html' : path}`);
    try {
      const body = await readFile(file);
      response
        .writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' })
        .end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return server;
}

/** Parses the README's table into rows by bundler and output format, with cells as in {@link runCell}. */
export function parseMatrix(section: string): Map<string, Map<string, Record<string, string>>> {
  const notes = new Map<string, string>();
  for (const [, number = '', text = ''] of section.matchAll(/^\((\d+)\) (.+)\.$/gm)) notes.set(number, text);
  const [head = [], , ...rows] = [...section.matchAll(/^\|(.+)\|$/gm)].map(([, line = '']) =>
    line.split('|').map((cell) => cell.trim()),
  );
  const table = new Map<string, Map<string, Record<string, string>>>();
  for (const [bundler = '', format = '', ...cells] of rows) {
    const row = cells.map((cell, index) => {
      const [, note] = /^– \((\d+)\)$/.exec(cell) ?? [];
      return [head[index + 2] ?? '', note === undefined ? cell : `no: ${notes.get(note)}`];
    });
    const formats = table.get(bundler) ?? new Map<string, Record<string, string>>();
    table.set(bundler, formats.set(format, Object.fromEntries(row) as Record<string, string>));
  }
  return table;
}
