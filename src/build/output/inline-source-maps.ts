/**
 * Source maps that are in the file they belong to, as base64: what they say is text like any other while files are
 * changed.
 */

// No byte of a file, and so no character of what was read byte by byte.
const OPEN = '\u{E000}';
const CLOSE = '\u{E001}';

const ENCODED = /(?<=sourceMappingURL=data:application\/json;(?:charset=[\w-]+;)?base64,)[\w+/]+=*/g;
const OPENED = new RegExp(`${OPEN}([^${CLOSE}]*)${CLOSE}`, 'g');

/** @param text of a file, each character a byte */
export function openInlineSourceMaps(text: string): string {
  return text.replaceAll(ENCODED, (base64) => {
    const json = Buffer.from(base64, 'base64').toString('latin1');
    return encode(json) === base64 ? `${OPEN}${json}${CLOSE}` : base64;
  });
}

/** The opposite of {@link openInlineSourceMaps}. */
export function closeInlineSourceMaps(text: string): string {
  return text.replaceAll(OPENED, (_, json: string) => encode(json));
}

/** What the first one says, as JSON. */
export function readInlineSourceMap(text: string): string | undefined {
  const [base64] = text.match(ENCODED) ?? [];
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}

function encode(json: string): string {
  return Buffer.from(json, 'latin1').toString('base64');
}
