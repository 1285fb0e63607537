/** sql.js (SQLite, Emscripten): its glue code lets us instantiate, which is what `?init` is for. */
import initSqlJs, { type SqlJs } from 'sql.js';
import instantiate from 'sql.js/dist/sql-wasm.wasm?init';
import type { Stopwatch } from '../start.ts';
import { QUERY, SCHEMA } from './sql-statements.ts';

export interface QueryResult {
  columns: string[];
  values: (string | number | null)[][];
}

/** Starts SQLite, fills a database and asks it for its totals. */
export async function start(stopwatch: Stopwatch): Promise<QueryResult> {
  const handOver = async (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
    const instance = await instantiate(imports);
    stopwatch.lap('load');
    done(instance);
  };
  const SQL = await new Promise<SqlJs>((resolve, reject) => {
    const ready = initSqlJs({
      instantiateWasm(imports, done) {
        // Emscripten waits forever where nothing is handed over.
        handOver(imports, done).catch(reject);
        return {};
      },
    });
    ready.then(resolve, reject);
  });
  stopwatch.lap('instantiate');
  const database = new SQL.Database();
  database.run(SCHEMA);
  const [result] = database.exec(QUERY);
  stopwatch.lap('call');
  if (!result) throw new Error('sql.js: the query gave no result');
  database.close();
  return result;
}
