/**
 * Source maps that a file holds as base64: decoded while the output is rewritten, so that replacements reach their text
 * as well.
 */

// Above U+00FF: such characters cannot occur in a file that was read as latin1.
const OPEN = '\u{E000}';
const CLOSE = '\u{E001}';

const ENCODED = /(?<=sourceMappingURL=data:application\/json;(?:charset=[\w-]+;)?base64,)[\w+/]+=*/g;
const OPENED = new RegExp(`${OPEN}([^${CLOSE}]*)${CLOSE}`, 'g');

/** @param text of a file, read as latin1 */
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

/** The JSON of the first source map in a text. */
export function readInlineSourceMap(text: string): string | undefined {
  const [base64] = text.match(ENCODED) ?? [];
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}

const LAST_COMMENT =
  /(?<=\/\/[#@] sourceMappingURL=data:application\/json;(?:charset=[\w-]+;)?base64,)[\w+/]+=*(?=\s*$)/;

/**
 * Changes the source map in the comment that ends a script. A text in the script that looks like one stays as it is.
 *
 * @param change gets and returns JSON
 */
export function changeOwnSourceMap(code: string, change: (json: string) => string): string {
  return code.replace(LAST_COMMENT, (base64) =>
    Buffer.from(change(Buffer.from(base64, 'base64').toString('utf8')), 'utf8').toString('base64'),
  );
}

function encode(json: string): string {
  return Buffer.from(json, 'latin1').toString('base64');
}
