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
  return format === 'esm' ? `import ${specifier};\n` : `require(${specifier});\n`;
}

/** The position behind a hashbang and directives, which count only at the top of a file. */
export function endOfPrologue(code: string): number {
  const [prologue] = /^(?:#![^\n]*\n)?(?:\s*(?:"[^"\n]*"|'[^'\n]*')\s*;[^\S\n]*\n?)*/.exec(code) ?? [''];
  return prologue.length;
}
