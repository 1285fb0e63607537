import initSqlJs from 'sql.js';

export async function GET() {
  const SQL = await initSqlJs();
  const database = new SQL.Database();
  const [{ values }] = database.exec('select 6 * 7');
  database.close();
  return Response.json(values);
}
