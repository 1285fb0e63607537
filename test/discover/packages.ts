/** Packages from npm as their tools have made them, each with a program that uses it without knowing of the plugin. */

export interface GluePackage {
  /** What made it. */
  tool: string;
  /** Which JavaScript module loads the wasm file. */
  module: string;
  /** Names of the wasm files that a start loads. */
  wasm: string[];
  /** Prints its first results as JSON. */
  program: string;
  /** Whether the program runs without being bundled. Default: true. */
  plainRuns?: boolean;
  /** Whether it needs top-level await. */
  awaits?: boolean;
  /** Packages that are not bundled. */
  external?: string[];
  /** Bundlers that change what it does, with the plugin and without it. */
  notWith?: string[];
}

const AUTOMERGE_WORK = `
  const doc = create({ actor: 'aaaa' });
  doc.put('/', 'title', 'glue');
  const list = doc.putObject('/', 'list', [1, 2, 3]);
  doc.insert(list, 1, 'x');
  doc.commit('a', 0);
  const copy = load(doc.save());
  console.log(JSON.stringify([copy.materialize('/'), copy.getHeads()]));
`;

/** Paths are those of files in node_modules, as Node finds them; some packages do not export them. */
export function gluePackages(nodeModules: string): GluePackage[] {
  const path = (name: string) => JSON.stringify(`${nodeModules}/${name}`);
  // From the folder of a project of a test.
  const esbuild = '../../node_modules/esbuild-wasm/esbuild.wasm';
  return [
    {
      tool: 'wasm-bindgen, web',
      module: '@automerge/automerge-wasm/web/automerge_wasm.js',
      wasm: ['automerge_wasm_bg'],
      // Node's own \`fetch\` takes no file URLs.
      plainRuns: false,
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
      plainRuns: false,
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
        console.log(JSON.stringify([...encoding.encode('glue code that loads by itself')]));
      `,
    },
    {
      tool: 'Emscripten, CommonJS',
      module: 'sql.js/dist/sql-wasm.js',
      wasm: ['sql-wasm'],
      // For plugin-commonjs, webpack and Rspack \`typeof module\` is \`"object"\`, also where the package has set it to undefined.
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
        // Its package.json says that this has no side effects.
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
      // It starts a worker from a file of its own.
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
