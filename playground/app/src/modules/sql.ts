/** sql.js (SQLite, Emscripten): its glue code lets us instantiate, which is what `?init` is for. */
import initSqlJs, { type SqlJs } from 'sql.js';
import instantiate from 'sql.js/dist/sql-wasm.wasm?init';
import type { Stopwatch } from '../start.ts';

export const SCHEMA = `
  CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL);
  INSERT INTO product (name, price) VALUES ('Compass', 4200), ('Lantern', 2750), ('Rope', 1325), ('Tent', 18900);
  CREATE TABLE sale (id INTEGER PRIMARY KEY, product INTEGER REFERENCES product, day TEXT, pieces INTEGER);
  WITH RECURSIVE counter (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counter WHERE n < 399)
    INSERT INTO sale (product, day, pieces)
    SELECT 1 + n * n % 17 % 4, date('2026-01-01', format('+%d days', n * n % 365)), 1 + n * 31 % 19 % 5 FROM counter;
  CREATE INDEX sale_by_product ON sale (product);
`;

export const QUERY = `
  WITH monthly AS (
    SELECT product, strftime('%m', day) AS month, sum(pieces) AS pieces FROM sale GROUP BY product, month
  ), ranked AS (
    SELECT product, month, rank() OVER (PARTITION BY product ORDER BY pieces DESC, month) AS place FROM monthly
  )
  SELECT name, sum(pieces) AS pieces, sum(pieces * price) / 100.0 AS revenue,
    round(100.0 * sum(pieces * price) / sum(sum(pieces * price)) OVER (), 1) AS "share (%)", month AS "best month"
  FROM sale JOIN product ON product.id = sale.product JOIN ranked ON ranked.product = product.id AND place = 1
  GROUP BY product.id ORDER BY revenue DESC
`;

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
