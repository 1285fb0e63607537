/** sql.js (SQLite, Emscripten): its glue code lets us instantiate, which is what `?init` is for. */
import initSqlJs, { type SqlJs } from 'sql.js';
import instantiate from 'sql.js/dist/sql-wasm.wasm?init';
import { QUERY, SCHEMA } from '../../app/src/modules/sql-statements.ts';

export async function start(): Promise<() => string> {
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
  return () => {
    const database = new SQL.Database();
    database.run(SCHEMA);
    const result = database.exec(QUERY);
    database.close();
    return JSON.stringify(result);
  };
}

async function handOver(
  imports: WebAssembly.Imports,
  done: (instance: WebAssembly.Instance) => void,
): Promise<void> {
  done(await instantiate(imports));
}
