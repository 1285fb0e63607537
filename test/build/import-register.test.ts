/** The import of the register file in a script: what stays at its top, and what happens to source maps. */
import { describe, expect, test } from 'vitest';
import { endOfPrologue, importStatement } from '../../src/build/codegen/import-register.ts';
import { changeOwnSourceMap } from '../../src/build/output/inline-source-maps.ts';
import { nameByPattern } from '../../src/build/output/generated-output.ts';

describe('the import comes', () => {
  test.each([
    ['', 'code();'],
    ['#!/usr/bin/env node\n', 'code();'],
    ['"use strict";\n', 'code();'],
    ["'use strict'; ", 'code();'],
    ["#!/usr/bin/env node\n// text\n'use strict';\n", 'code();'],
    ["/* licence */\n'use strict';\n", 'code();'],
    ['"use strict"\n', 'code();'],
    ['"use strict"; "use other";\n', '\ncode();'],
    ['"use strict"\n', '/* text */ code();'],
    ['', '"text".length;'],
    ['', '"text"\n.length;'],
    ['', '"text"\n+ other;'],
    ['', '/* licence */\ncode();'],
  ])('after %j, before %j', (prologue, rest) => {
    expect(endOfPrologue(prologue + rest)).toBe(prologue.length);
  });
});

test('a large script with many comments takes no time', () => {
  const code = '/* a */ // b\n'.repeat(50_000);
  expect(endOfPrologue(`${code}code();`)).toBe(0);
  expect(endOfPrologue(`${code}"use strict";code();`)).toBe(code.length + '"use strict";'.length);
});

test.each([
  ['main.js', '/', './wasm-precompile-register.mjs'],
  ['a/b/main.js', '/', '../../wasm-precompile-register.mjs'],
  ['../app/route.js', '/work/out/chunks', '../chunks/wasm-precompile-register.mjs'],
  ['../../main.js', String.raw`C:\work\out\chunks`, './out/chunks/wasm-precompile-register.mjs'],
])('%s in %s imports %s', (file, folder, specifier) => {
  expect(importStatement(file, 'esm', folder)).toBe(`import ${JSON.stringify(specifier)};\n`);
});

const encode = (text: string) => Buffer.from(text).toString('base64');
const comment = (text: string) => `//# sourceMappingURL=data:application/json;base64,${encode(text)}`;
const change = (json: string) => json.replace('own', 'changed');

test('only the source map in the last comment is changed', () => {
  const text = `const css = "${comment('{"in":"a text"}')}";\n`;
  expect(changeOwnSourceMap(text, change)).toBe(text);
  expect(changeOwnSourceMap(`${text}${comment('{"own":1}')}\n`, change)).toBe(
    `${text}${comment('{"changed":1}')}\n`,
  );
});

test.each([
  ['[name]-[hash]', 'x-01234567.elf'],
  ['assets/[name].[hash]', 'assets/x.01234567.elf'],
  ['[dir]/[name]-[hash].[ext]', 'x-01234567.elf'],
  ['[ext]/[name]', 'elf/x-01234567.elf'],
  ['./files/[name].[ext]', 'files/x-01234567.elf'],
])('the pattern %s names a file %s', (pattern, name) => {
  expect(nameByPattern(pattern, 'x.elf', '01234567')).toBe(name);
});
