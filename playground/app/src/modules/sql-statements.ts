/** The statements for SQLite. */

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
