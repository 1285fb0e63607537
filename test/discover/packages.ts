/** Packages from npm that load their own wasm, each with a program that does not refer to the plugin. */

export interface SelfLoadingPackage {
  /** The toolchain that generated the package. */
  tool: string;
  /** The JavaScript module that loads the wasm file. */
  module: string;
  /** Names of the wasm files that the program loads at startup. */
  wasm: string[];
  /** Prints its first results as JSON. */
  program: string;
  /** Whether the program runs unbundled. Default: true. */
  runsUnbundled?: boolean;
  /** Whether the program needs top-level await. */
  awaits?: boolean;
  /** Packages that are not bundled. */
  external?: string[];
  /** Bundlers that change the program's behaviour, with and without the plugin. */
  notWith?: string[];
}

const AUTOMERGE_WORK = `
  const doc = create({ actor: 'aaaa' });
  doc.put('/', 'title', 'paper');
  const list = doc.putObject('/', 'list', [1, 2, 3]);
  doc.insert(list, 1, 'x');
  doc.commit('a', 0);
  const copy = load(doc.save());
  console.log(JSON.stringify([copy.materialize('/'), copy.getHeads()]));
`;

/** Imports files of node_modules by path, because some packages do not export them. */
export function selfLoadingPackages(nodeModules: string): SelfLoadingPackage[] {
  const path = (name: string) => JSON.stringify(`${nodeModules}/${name}`);
  // Relative to the folder of a test project.
  const esbuild = '../../node_modules/esbuild-wasm/esbuild.wasm';
  return [
    {
      tool: 'wasm-bindgen, web',
      module: '@automerge/automerge-wasm/web/automerge_wasm.js',
      wasm: ['automerge_wasm_bg'],
      // Node's own `fetch` rejects file URLs.
      runsUnbundled: false,
      program: `
        import init, { create, load } from ${path('@automerge/automerge-wasm/web/automerge_wasm.js')};
        init().then(() => {${AUTOMERGE_WORK}});
      `,
    },
    {
      tool: 'wasm-bindgen, web, synchronous',
      module: 'main.js',
      wasm: ['automerge_wasm_bg'],
      program: `
        import { readFileSync } from 'node:fs';
        import { initSync, create, load } from ${path('@automerge/automerge-wasm/web/automerge_wasm.js')};
        const url = new URL(${path('@automerge/automerge-wasm/web/automerge_wasm_bg.wasm')}, import.meta.url);
        initSync(readFileSync(url));
        ${AUTOMERGE_WORK}
      `,
    },
    {
      tool: 'wasm-bindgen, nodejs',
      module: '@automerge/automerge-wasm/nodejs/automerge_wasm.cjs',
      wasm: ['automerge_wasm_bg'],
      program: `
        import automerge from ${path('@automerge/automerge-wasm/nodejs/automerge_wasm.cjs')};
        const { create, load } = automerge;
        ${AUTOMERGE_WORK}
      `,
    },
    {
      tool: 'wasm-bindgen, bundler',
      module: '',
      wasm: ['automerge_wasm_bg'],
      runsUnbundled: false,
      awaits: true,
      program: `
        import { create, load } from ${path('@automerge/automerge-wasm/bundler/automerge_wasm.js')};
        ${AUTOMERGE_WORK}
      `,
    },
    {
      tool: 'wasm-bindgen, changed by hand',
      module: 'tiktoken/tiktoken.cjs',
      wasm: ['tiktoken_bg'],
      program: `
        import tiktoken from 'tiktoken';
        const encoding = tiktoken.get_encoding('gpt2');
        console.log(JSON.stringify([...encoding.encode('a package that loads by itself')]));
      `,
    },
    {
      tool: 'Emscripten, CommonJS',
      module: 'sql.js/dist/sql-wasm.js',
      wasm: ['sql-wasm'],
      // plugin-commonjs, webpack and Rspack evaluate `typeof module` to "object", even after the package sets
      // `module` to undefined.
      notWith: ['rollup', 'vite7', 'webpack', 'rspack'],
      program: `
        import initSqlJs from 'sql.js';
        initSqlJs().then((SQL) => {
          const db = new SQL.Database();
          db.run('CREATE TABLE t (a, b)');
          db.run('INSERT INTO t VALUES (1, 2), (3, 4)');
          console.log(JSON.stringify(db.exec('SELECT sum(a), sum(b) FROM t')));
        });
      `,
    },
    {
      tool: 'Emscripten, CommonJS, not minified',
      module: 'web-tree-sitter/web-tree-sitter.cjs',
      wasm: ['web-tree-sitter'],
      program: `
        import treeSitter from ${path('web-tree-sitter/web-tree-sitter.cjs')};
        treeSitter.Parser.init().then(() => {
          const parser = new treeSitter.Parser();
          console.log(JSON.stringify([parser.getIncludedRanges(), treeSitter.LANGUAGE_VERSION]));
        });
      `,
    },
    {
      tool: 'Emscripten, ES6',
      module: 'web-tree-sitter/web-tree-sitter.js',
      wasm: ['web-tree-sitter'],
      program: `
        import { LANGUAGE_VERSION, Parser } from ${path('web-tree-sitter/web-tree-sitter.js')};
        Parser.init().then(() => {
          const parser = new Parser();
          console.log(JSON.stringify([parser.getIncludedRanges(), LANGUAGE_VERSION]));
        });
      `,
    },
    {
      tool: 'Emscripten, ES6, minified',
      module: '@jitl/quickjs-wasmfile-release-sync/dist/emscripten-module.mjs',
      wasm: ['emscripten-module'],
      program: `
        import { newQuickJSWASMModuleFromVariant } from 'quickjs-emscripten-core';
        import variant from '@jitl/quickjs-wasmfile-release-sync';
        newQuickJSWASMModuleFromVariant(variant).then((quickjs) => {
          console.log(JSON.stringify(quickjs.evalCode('[1, 2, 3].map((n) => n * 2)')));
        });
      `,
    },
    {
      tool: 'AssemblyScript, esm',
      module: '@fluffylabs/anan-as/dist/build/release-mini.js',
      wasm: ['release-mini'],
      awaits: true,
      program: `
        import { disassemble } from ${path('@fluffylabs/anan-as/dist/build/release-mini.js')};
        console.log(JSON.stringify(disassemble([0, 0, 3, 200, 135, 9, 1], 0, 1)));
      `,
    },
    {
      tool: 'AssemblyScript, raw',
      module: 'main.js',
      wasm: ['debug-raw'],
      program: `
        import { createReadStream } from 'node:fs';
        import { Readable } from 'node:stream';
        import { instantiate } from ${path('@fluffylabs/anan-as/dist/build/debug-raw.js')};
        const url = new URL(${path('@fluffylabs/anan-as/dist/build/debug-raw.wasm')}, import.meta.url);
        const body = Readable.toWeb(createReadStream(url));
        const response = new Response(body, { headers: { 'content-type': 'application/wasm' } });
        WebAssembly.compileStreaming(response)
          .then((module) => instantiate(module, { env: {} }))
          .then(({ disassemble }) => {
            console.log(JSON.stringify(disassemble([0, 0, 3, 200, 135, 9, 1], 0, 1)));
          });
      `,
    },
    {
      tool: 'Go',
      module: 'main.js',
      wasm: ['esbuild'],
      program: `
        import * as fs from 'node:fs';
        import { dirname, join } from 'node:path';
        import { fileURLToPath } from 'node:url';
        import * as exec from ${path('esbuild-wasm/wasm_exec.js')};
        let text = '';
        const write = (fd, bytes, offset, length, position, done) => {
          text += Buffer.from(bytes.subarray(offset, offset + length)).toString();
          done(null, length);
        };
        Object.assign(globalThis, { kept: exec, fs: { ...fs, write } });
        const here = dirname(fileURLToPath(import.meta.url));
        const bytes = fs.readFileSync(join(here, ${JSON.stringify(esbuild)}));
        const go = new Go();
        go.argv = ['esbuild', '--version'];
        WebAssembly.instantiate(bytes, go.importObject)
          .then(({ instance }) => go.run(instance))
          .then(() => console.log(JSON.stringify(text)));
      `,
    },
    {
      tool: 'TinyGo',
      module: 'sh-syntax/lib/index.js',
      wasm: ['main'],
      program: `
        import { print } from 'sh-syntax';
        // The package.json declares this module free of side effects.
        import * as go from ${path('sh-syntax/vendors/wasm_exec.cjs')};
        globalThis.kept = go;
        print('if   true;then echo  1;fi', { filepath: 'a.sh' }).then((text) => {
          console.log(JSON.stringify(text));
        });
      `,
    },
    {
      tool: 'jco',
      module: '@bytecodealliance/jco-transpile/vendor/wasm-tools.js',
      wasm: ['wasm-tools.core', 'wasm-tools.core2'],
      // The package starts a worker from one of its own files.
      external: ['@bytecodealliance/preview2-shim'],
      program: `
        import { $init, tools } from ${path('@bytecodealliance/jco-transpile/vendor/wasm-tools.js')};
        $init.then(() => {
          const component = tools.parse('(component (import "a" (func)))');
          console.log(JSON.stringify([component.length, tools.print(component)]));
        });
      `,
    },
  ];
}
