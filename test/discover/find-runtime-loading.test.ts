/** Which code counts as runtime loading. */
import { parseAst } from 'rollup/parseAst';
import { describe, expect, test } from 'vitest';
import {
  findRuntimeLoading,
  RUNTIME_LOADING_TEXT,
  type RuntimeLoading,
} from '../../src/build/discover/find-runtime-loading.ts';

function find(code: string): RuntimeLoading {
  return findRuntimeLoading(parseAst(code) as Parameters<typeof findRuntimeLoading>[0]);
}

/** The specifiers, with the text that would be replaced or wrapped. */
function references(code: string): [kind: string, specifier: string, text: string][] {
  return find(code).references.map(({ kind, specifier, start, end }) => [
    kind,
    specifier,
    code.slice(start, end),
  ]);
}

describe('a file name', () => {
  test.each([
    ["new URL('x.wasm', import.meta.url)", 'url', 'x.wasm', "'x.wasm', import.meta.url"],
    ['new URL(`./a/x.wasm`, import.meta.url).href', 'url', './a/x.wasm', '`./a/x.wasm`, import.meta.url'],
    ["import.meta.resolve('it/x.wasm')", 'resolve', 'it/x.wasm', undefined],
    ["require.resolve('it/x.wasm')", 'resolve', 'it/x.wasm', undefined],
    ["createRequire(import.meta.url).resolve('it/x.wasm')", 'resolve', 'it/x.wasm', undefined],
    [
      "const r = createRequire(import.meta.url); r.resolve('./x.wasm')",
      'resolve',
      './x.wasm',
      "r.resolve('./x.wasm')",
    ],
    ["join(__dirname, 'x.wasm')", 'text', 'x.wasm', undefined],
    ["path.resolve(here, '..', 'x.wasm')", 'text', '../x.wasm', undefined],
    ["locateFile('x.wasm', folder)", 'text', 'x.wasm', undefined],
    ["__dirname + '/x.wasm'", 'text', 'x.wasm', undefined],
    ["folder + '/a/' + 'x.wasm'", 'text', 'a/x.wasm', undefined],
    ['`${__dirname}/x.wasm`', 'text', 'x.wasm', undefined],
  ])('is found in `%s`', (code, kind, specifier, text) => {
    expect(RUNTIME_LOADING_TEXT.test(code)).toBe(true);
    expect(references(code)).toEqual([[kind, specifier, text ?? code]]);
  });

  test.each([
    ["const name = 'x.wasm'; new URL(name, import.meta.url)", ['name, import.meta.url']],
    ["const name = 'x.wasm'; join(__dirname, name)", ['join(__dirname, name)']],
    ["var name; name = 'x.wasm'; join(__dirname, name)", ['join(__dirname, name)']],
    ["const name = 'x.wasm'; __dirname + '/' + name", ["__dirname + '/' + name"]],
    ["const name = 'x.wasm'; `${__dirname}/${name}`", ['`${__dirname}/${name}`']],
    // A function that takes no path gives back what it would without the plugin.
    ["const name = 'x.wasm'; use(name);", ['use(name)']],
    // Emscripten.
    ["function find() { var f = 'x.wasm'; return locateFile(f); }", ['locateFile(f)']],
    [
      "function find() { var f = 'x.wasm'; if (!isDataURI(f)) { return locateFile(f); } return f; }",
      ['isDataURI(f)', 'locateFile(f)'],
    ],
    ["file = 'x.wasm'; if (!isDataURI(file)) file = locate(file);", ['isDataURI(file)', 'locate(file)']],
    ["let f = 'x.wasm'; if (!isDataURI(f)) f = locate(f, true);", ['isDataURI(f)', 'locate(f, true)']],
    // Another scope declares the same name.
    [
      "const name = 'x.wasm'; function other(name) { return join(folder, name); } join(__dirname, name)",
      ['join(__dirname, name)'],
    ],
  ])('that a variable holds is found in `%s`', (code, texts) => {
    expect(references(code).map(([, specifier, text]) => [specifier, text])).toEqual(
      texts.map((text) => ['x.wasm', text]),
    );
  });

  test.each([
    "new URL('x.wasm', base)",
    "new URL('x.wasm', import.meta.url, 1)",
    "new URL(name + '.wasm', import.meta.url)",
    "import init from './x.wasm'",
    "import('./x.wasm')",
    "require('./x.wasm')",
    "const name = 'x.wasm'; use(other);",
    "const name = 'x.wasm'; const url = new URL(name, base);",
    "let name = 'x.wasm'; name = other; new URL(name, import.meta.url);",
    "let name; if (small) name = 'x.wasm'; new URL(name, import.meta.url);",
    "let name; export const get = () => new URL(name, import.meta.url); export const set = () => { name = 'x.wasm'; };",
    'function f(name) { return join(__dirname, name); } f(wasm);',
    "{ const name = 'x.wasm'; } join(__dirname, name);",
    "let name = ''; name += 'it/x.wasm'; require.resolve(name);",
    "import('./' + name + '/x.wasm')",
    'require(`./${name}/x.wasm`)',
    "join(folder, name + '.wasm')",
    '`${name}.wasm`',
    "files?.locate('x.wasm').toString()",
    'tag`x.wasm`',
    "({ 'x.wasm': 1 })['x.wasm']",
    "import.meta.glob('./x.wasm')",
  ])('is not found in `%s`', (code) => {
    expect(references(code)).toEqual([]);
  });
});

test.each([
  "let name; if (some) name = 'it/x.wasm'; require.resolve(name);",
  "let own = { resolve: String }; if (some) own = createRequire(here); own.resolve('it/x.wasm');",
])('the result of `%s` may be no path of the file, so it is compared at run time', (code) => {
  expect(references(code).map(([kind]) => kind)).toEqual(['text']);
});

test("finds reads of Node's __dirname", () => {
  const code = 'typeof __dirname; use(__dirname, { __dirname }, { __dirname: 1 }, it.__dirname);';
  expect(
    find(code).folders.map(({ start, end, shorthand }) => [start, code.slice(start, end), shorthand]),
  ).toEqual([
    [22, '__dirname', false],
    [35, '__dirname', true],
  ]);
  expect(find(`${code} var __dirname = 1;`).folders).toEqual([]);
  expect(find(`${code} function other(__dirname) { use(__dirname); }`).folders).toHaveLength(2);
});

test('finds calls of the global fetch', () => {
  const code = 'fetch(a); globalThis.fetch(b); it.fetch(c); typeof fetch;';
  expect(find(code).fetches.map(({ start, end }) => code.slice(start, end))).toEqual([
    'fetch',
    'globalThis.fetch',
  ]);
  expect(find(`import fetch from 'node-fetch'; ${code}`).fetches).toHaveLength(1);
  expect(find(`${code} function other(fetch) { fetch(d); }`).fetches).toHaveLength(2);
  expect(find(`fetch = other; ${code}`).fetches).toHaveLength(1);
  // In sloppy code, the function is a variable of the function around the block, too.
  expect(find(`if (!globalThis.fetch) { function fetch() {} } ${code}`).fetches).toHaveLength(1);
});

describe('a test whether a value is a response', () => {
  test.each([
    ["if (typeof Response === 'function' && it instanceof Response) a()", 'it'],
    ['a = typeof Response=="function"&&it instanceof Response', 'it'],
    ["a() || (typeof Request === 'function' && it instanceof Request) || b()", 'it'],
    ["a() && 'function' === typeof Request && it instanceof Request", 'it'],
  ])('is found in `%s`', (code, name) => {
    const start = Math.min(
      ...['typeof R', "'function' ==="].map((text) => code.indexOf(text)).filter((at) => at !== -1),
    );
    expect(find(code).typeTests).toEqual([{ start, name }]);
  });

  test.each([
    // `Response` is not the global class.
    "import { Response } from 'undici'; typeof Response === 'function' && it instanceof Response",
    "typeof Response === 'function' && it instanceof Request",
    "typeof it.Response === 'function' && it instanceof it.Response",
    "typeof Headers === 'function' && it instanceof Headers",
    // A second call could return another value.
    "typeof Response === 'function' && it() instanceof Response",
    // The generated test would read the local `Promise`.
    "const Promise = a; typeof Response === 'function' && it instanceof Response",
    'it instanceof Response',
  ])('is not found in `%s`', (code) => {
    expect(find(code).typeTests).toEqual([]);
  });
});

test.each([
  ['import a from "a"', true],
  ['export default 1', true],
  ['use(import.meta.url)', true],
  ['require("a")', false],
  ['import("a")', false],
])('detects in `%s` whether the module is an ES module: %s', (code, esm) => {
  expect(find(code).esm).toBe(esm);
});

test('inserts statements after directives', () => {
  expect(find("'use strict'; 'use client'; a();").top).toBe("'use strict'; 'use client';".length);
  expect(find('/* a */ b();').top).toBe('/* a */ '.length);
});
