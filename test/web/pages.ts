/** Pages that load wasm modules. */
import { createProject, type Files, type Project } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

/** Its icon is empty, because browsers request one otherwise. */
export const HTML = `<!doctype html><html><head><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="module" src="./main.js"></script></head><body></body></html>`;

/** A page with a large module of an npm package and a small one, in all import forms. */
export const ALL_FORMS: Files = {
  'index.html': HTML,
  'math.wasm': wat(`(module
    (global (export "answer") (mut i32) (i32.const 42))
    (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))`),
  'main.js': `
    import { initWasm, Resvg } from '@resvg/resvg-wasm';
    import resvgModule from '@resvg/resvg-wasm/index_bg.wasm?module';
    import { add, answer } from './math.wasm';
    import init from './math.wasm?init';
    import math from './math.wasm?module';
    const [one, two] = await Promise.all([init(), init({})]);
    one.exports.answer.value = 1;
    await initWasm(resvgModule);
    const picture = new Resvg('<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"/>').render();
    globalThis.result = {
      sum: add(2, 3),
      globals: [answer, one.exports.answer.value, two.exports.answer.value],
      module: math instanceof WebAssembly.Module,
      picture: [picture.width, picture.height],
    };
  `,
};

export const ALL_RESULTS = {
  sum: 5,
  globals: [42, 1, 42],
  module: true,
  picture: [20, 10],
};

/** Creates a page whose result is 1 or an error message. */
export function onePage(files: Files = {}): Promise<Project> {
  return createProject({
    'index.html': HTML,
    'one.wasm': watOfValue(1),
    'main.js': `
      import init from './one.wasm?init';
      globalThis.result = await init().then(({ exports }) => exports.value(), (error) => error.message);
    `,
    ...files,
  });
}
