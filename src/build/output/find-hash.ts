/** The position of the hash in the name of an output file. */

/** In characters. */
export interface HashPlace {
  start: number;
  length: number;
}

/** Length of a hash for which the pattern states none: the default of Rollup and of Rolldown. */
const DEFAULT_LENGTH = 8;

const PLACEHOLDER = /\[(\w+)(?::(\d+))?\]/g;

/**
 * Finds the hash in a file name.
 *
 * @param pattern with placeholders: `assets/[name]-[hash:8][extname]`
 * @returns undefined if the pattern has no single hash, or did not produce this name
 */
export function findHash(fileName: string, pattern: string): HashPlace | undefined {
  let hashes = 0;
  let expression = '';
  // `split` returns in turn: text, name of the placeholder, its number, text …
  const pieces = pattern.split(PLACEHOLDER);
  for (let at = 0; at < pieces.length; at += 3) {
    expression += escape(pieces[at] ?? '');
    const placeholder = pieces[at + 1];
    if (placeholder === 'hash') {
      hashes++;
      expression += `([\\w-]{${pieces[at + 2] ?? DEFAULT_LENGTH}})`;
    } else if (placeholder !== undefined) {
      expression += '.*';
    }
  }
  if (hashes !== 1) return undefined;
  const match = new RegExp(`^${expression}$`, 'd').exec(fileName);
  const place = match?.indices?.[1];
  return place && { start: place[0], length: place[1] - place[0] };
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
