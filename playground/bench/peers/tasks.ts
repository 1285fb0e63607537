/** Tasks for all bundlers, as source text for each form of import. */
import { SAMPLE } from '../../app/src/sample-source.ts';

/**
 * - `init`: the default export (`?init`) takes imports and returns an instance
 * - `function`: the default export takes imports and returns `{ instance }`
 * - `module`: the default export (`?module`) is a module
 * - `exports`: the WebAssembly/ESM integration
 */
export type Form = 'init' | 'function' | 'module' | 'exports';

export interface Task {
  name: string;
  /** File that the entry imports, relative to `node_modules`. */
  file: string;
  /**
   * Returns a module that exports `run`, which returns the first result.
   *
   * @param path relative path of `file`
   */
  source(form: Form, path: string): string;
}

const QUERIES: Record<Form, string> = { init: '?init', function: '', module: '?module', exports: '' };

/** sql.js: its generated code creates the imports, `a.a` to `a.z`, and passes them to the caller. */
const sqlJsTask: Task = {
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
    const instantiateAndPass = async (imports, done) => done(${instance});
    initSqlJs({
      instantiateWasm(imports, done) {
        instantiateAndPass(imports, done).catch(reject);
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

/** tiktoken, in wasm-bindgen's output for bundlers: its generated code imports the wasm, which imports that code. */
const tiktokenTask: Task = {
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

export const TASKS: readonly Task[] = [sqlJsTask, tiktokenTask];
