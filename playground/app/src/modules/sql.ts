/** sql.js (SQLite, Emscripten). */
import instantiate from 'sql.js/dist/sql-wasm.wasm?init';
import type { Stopwatch } from '../startup.ts';
import { startSqlJs } from './start-sql.ts';
import { QUERY, SCHEMA } from './sql-statements.ts';

export interface QueryResult {
  columns: string[];
  values: (string | number | null)[][];
}

/** Starts SQLite, fills a database and queries its totals. */
export async function start(stopwatch: Stopwatch): Promise<QueryResult> {
  const SQL = await startSqlJs(async (imports) => {
    const instance = await instantiate(imports);
    stopwatch.lap('load');
    return instance;
  });
  stopwatch.lap('instantiate');
  const database = new SQL.Database();
  database.run(SCHEMA);
  const [result] = database.exec(QUERY);
  stopwatch.lap('call');
  if (!result) throw new Error('sql.js: the query returned no result');
  database.close();
  return result;
}
