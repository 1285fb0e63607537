/** The import of the register file at the top of a script that programs start with. */
import { posix } from 'node:path';
import { MagicString, type SourceMap } from 'magic-string';
import { type RegisterFormat, registerName } from './register.ts';

export interface ImportingScript {
  code: string;
  /** From this code to the code without the import. */
  map: SourceMap;
}

/** @param fileName path of the script in the output, with `/` */
export function importRegister(code: string, fileName: string, format: RegisterFormat): ImportingScript {
  const text = new MagicString(code);
  text.appendLeft(endOfPrologue(code), importStatement(fileName, format));
  return { code: text.toString(), map: text.generateMap({ hires: 'boundary' }) };
}

/**
 * @param fileName path of the importing script in the output, with `/`
 * @param folder absolute path of the output, if scripts may be outside of it: `../route.js`
 */
export function importStatement(fileName: string, format: RegisterFormat, folder = '/'): string {
  const root = folder.replaceAll('\\', '/');
  const path = posix.relative(
    posix.dirname(posix.join(root, fileName)),
    posix.join(root, registerName(format)),
  );
  const specifier = JSON.stringify(path.startsWith('.') ? path : `./${path}`);
  if (format === 'esm') return `import ${specifier};\n`;
  // A script that is deployed alone runs as without the plugin.
  return `try { require(${specifier}); } catch {}\n`;
}

// Sticky, and used one by one: a single expression for all of it would try each way to divide comments.
const HASHBANG = /#![^\n]*(?:\n|$)/y;
const SPACE = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const TEXT = /"[^"\n]*"|'[^'\n]*'/y;
const SEMICOLON = /[^\S\n]*;[^\S\n]*\n?/y;
const LINE_END = /[^\S\n]*\n/y;

/** The position behind a hashbang and directives, which count only at the top of a file. */
export function endOfPrologue(code: string): number {
  let end = endOf(HASHBANG, code, 0) ?? 0;
  for (;;) {
    const text = endOf(TEXT, code, skipSpace(code, end));
    if (text === undefined) return end;
    const statement = endOf(SEMICOLON, code, text) ?? endOfLine(code, text);
    if (statement === undefined) return end;
    end = statement;
  }
}

/** A line ends a statement unless an operator continues it. */
function endOfLine(code: string, at: number): number | undefined {
  const end = endOf(LINE_END, code, at);
  const next = end === undefined ? undefined : code[skipSpace(code, end)];
  return next === undefined || /[\w$"'{}#@]/.test(next) ? end : undefined;
}

function skipSpace(code: string, from: number): number {
  let at = from;
  for (let end = endOf(SPACE, code, at); end !== undefined; end = endOf(SPACE, code, at)) at = end;
  return at;
}

/** Where the expression ends if it matches at this place. */
function endOf(expression: RegExp, code: string, at: number): number | undefined {
  expression.lastIndex = at;
  return expression.test(code) ? expression.lastIndex : undefined;
}
