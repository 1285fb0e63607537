/** sql.js (SQLite, Emscripten). */
import instantiate from 'sql.js/dist/sql-wasm.wasm?init';
import { startSqlJs } from '../../app/src/modules/start-sql.ts';
import { QUERY, SCHEMA } from '../../app/src/modules/sql-statements.ts';

export async function start(): Promise<() => string> {
  const SQL = await startSqlJs(instantiate);
  return () => {
    const database = new SQL.Database();
    database.run(SCHEMA);
    const result = database.exec(QUERY);
    database.close();
    return JSON.stringify(result);
  };
}
