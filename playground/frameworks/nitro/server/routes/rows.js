import { defineHandler } from 'nitro';
import initSqlJs from 'sql.js';

export default defineHandler(async () => {
  const SQL = await initSqlJs();
  const database = new SQL.Database();
  const [{ values }] = database.exec('select 6 * 7');
  database.close();
  return values;
});
