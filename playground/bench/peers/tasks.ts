/** What all bundlers are asked to do, as source text for each form of import that one of them has. */
import { SAMPLE } from '../../app/src/sample-source.ts';

/**
 * - `init`: a default export that takes imports and gives an instance, by `?init`; `function`: one that
 *   gives `{ instance }`
 * - `module`: a default export that is a module: `?module`
 * - `exports`: the WebAssembly/ESM integration
 */
export type Form = 'init' | 'function' | 'module' | 'exports';

export interface Task {
  name: string;
  /** What the entry imports, relative to `node_modules`. */
  file: string;
  /**
   * A module that exports `run`, which gives the first result.
   *
   * @param path of `file`, relative
   */
  source(form: Form, path: string): string;
}

const QUERIES: Record<Form, string> = { init: '?init', function: '', module: '?module', exports: '' };

/** sql.js: its glue code has imports of its own, `a.a` to `a.z`, and hands them over. */
const handingOver: Task = {
  name: 'sql.js',
  file: 'sql.js/dist/sql-wasm.wasm',
  source(form, path) {
    const specifier = JSON.stringify(`${path}${QUERIES[form]}`);
    const [imported, instance] = {
      init: [`import init from ${specifier};`, 'await init(imports)'],
      function: [`import init from ${specifier};`, '(await init(imports)).instance'],
      module: [`import module from ${specifier};`, 'await WebAssembly.instantiate(module, imports)'],
      exports: [`import * as exports from ${specifier};`, '{ exports }'],
    }[form];
    return `import initSqlJs from 'sql.js';
${imported}

export async function run() {
  const SQL = await new Promise((resolve, reject) => {
    const handOver = async (imports, done) => done(${instance});
    initSqlJs({
      instantiateWasm(imports, done) {
        handOver(imports, done).catch(reject);
        return {};
      },
    }).then(resolve, reject);
  });
  const database = new SQL.Database();
  database.run('CREATE TABLE number (value); INSERT INTO number VALUES (1), (2), (3)');
  return database.exec('SELECT count(*), sum(value), group_concat(value) FROM number ORDER BY value');
}
`;
  },
};

/** tiktoken, as wasm-bindgen makes it for bundlers: its glue code imports the wasm, whose imports lead back to it. */
const integrated: Task = {
  name: 'tiktoken',
  file: 'tiktoken/lite/tiktoken.js',
  source: (_, path) => `import { Tiktoken } from ${JSON.stringify(path)};

const RANKS = ['! 0', ...Array.from({ length: 256 }, (_, byte) => Buffer.from([byte]).toString('base64'))].join(' ');

export async function run() {
  const encoder = new Tiktoken(RANKS, {}, '\\\\w+|\\\\s+|[^\\\\w\\\\s]+');
  return [...encoder.encode(${JSON.stringify(SAMPLE)})];
}
`,
};

export const TASKS: readonly Task[] = [handingOver, integrated];
