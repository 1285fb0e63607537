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

function uses(code: string): [name: string, text: string][] {
  return find(code).uses.map(({ name, start, end }) => [name, code.slice(start, end)]);
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
    ["file = 'x.wasm'; if (!isDataURI(file)) file = locate(file);", 'text', 'x.wasm', 'locate(file)'],
  ])('is found in `%s`', (code, kind, specifier, text) => {
    expect(RUNTIME_LOADING_TEXT.test(code)).toBe(true);
    expect(references(code)).toEqual([[kind, specifier, text ?? code]]);
  });

  test.each([
    "new URL('x.wasm', base)",
    "new URL('x.wasm', import.meta.url, 1)",
    "new URL(name + '.wasm', import.meta.url)",
    "import init from './x.wasm'",
    "import('./x.wasm')",
    "require('./x.wasm')",
    "const name = 'x.wasm'; use(name);",
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

describe('a use of WebAssembly', () => {
  test.each([
    ['await WebAssembly.compile(bytes)', 'compile', 'WebAssembly'],
    ['WebAssembly["instantiate"](bytes)', 'instantiate', 'WebAssembly'],
    ['const make = WebAssembly.instantiate;', 'instantiate', 'WebAssembly'],
    ['fetch(url).then(WebAssembly.compileStreaming)', 'compileStreaming', 'WebAssembly'],
    ['globalThis.WebAssembly.compile(bytes)', 'compile', 'globalThis.WebAssembly'],
    ['new WebAssembly.Module(bytes)', 'Module', 'WebAssembly'],
    ['new WebAssembly.Module', 'Module', 'WebAssembly'],
    ['new (WebAssembly.Module)(bytes)', 'Module', 'WebAssembly'],
    ['new globalThis.WebAssembly.Module (bytes)', 'Module', 'globalThis.WebAssembly'],
  ])('is found in `%s`', (code, name, text) => {
    expect(RUNTIME_LOADING_TEXT.test(code)).toBe(true);
    expect(uses(code)).toEqual([[name, text]]);
  });

  test.each([
    'typeof WebAssembly.instantiateStreaming',
    'module instanceof WebAssembly.Module',
    'WebAssembly.Module.exports(module)',
    'WebAssembly.compile = other',
    'new WebAssembly.Instance(module)',
    'WebAssembly?.compile(bytes)',
    'const { compile } = WebAssembly; compile(bytes)',
    'function load(WebAssembly) { return WebAssembly.compile(bytes); }',
    "import WebAssembly from 'polyfill'; WebAssembly.compile(bytes);",
    'class WebAssembly {} WebAssembly.compile(bytes);',
    'try {} catch (WebAssembly) { WebAssembly.compile(bytes); }',
    'const [{ a: WebAssembly = 1 }] = []; WebAssembly.compile(bytes);',
    'const globalThis = {}; globalThis.WebAssembly.compile(bytes)',
    'let Symbol; WebAssembly.compile(bytes)',
    'other.WebAssembly.compile(bytes)',
  ])('is not found in `%s`', (code) => {
    expect(uses(code)).toEqual([]);
  });
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
});

test('finds calls of the global fetch', () => {
  const code = 'fetch(a); globalThis.fetch(b); it.fetch(c); typeof fetch;';
  expect(find(code).fetches.map(({ start, end }) => code.slice(start, end))).toEqual([
    'fetch',
    'globalThis.fetch',
  ]);
  expect(find(`import fetch from 'node-fetch'; ${code}`).fetches).toHaveLength(1);
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
