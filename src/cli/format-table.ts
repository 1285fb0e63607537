/** A number as text, or a factor such as `3.4×`. */
const NUMBER = /^\d+(\.\d+)?×?$/;

/** Formats rows as aligned columns: numbers to the right, text to the left. */
export function formatTable(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, String(cell).length);
    }
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          const text = String(cell);
          return NUMBER.test(text) ? text.padStart(width) : text.padEnd(width);
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
