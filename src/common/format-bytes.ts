const KIB = 1024;
const MIB = 1024 ** 2;

/** A size for people: `684 B`, `12.3 KiB`, `256 KiB`, `18.1 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < KIB) return `${bytes} B`;
  const kib = oneDigit(bytes / KIB);
  return kib < KIB ? `${kib} KiB` : `${oneDigit(bytes / MIB)} MiB`;
}

function oneDigit(value: number): number {
  return Number(value.toFixed(1));
}
