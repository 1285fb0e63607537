/** Code that makes an instance in the expression that imports its module. */
import { expect, it } from 'vitest';
import { importsInCall } from '../../src/core/importing-calls.ts';

it.each([
  ["WebAssembly.instantiate(await import.source('./x.wasm'), {})", true],
  ["new WebAssembly.Instance((await import('./x.wasm?module')).default)", true],
  ["WebAssembly\n  .instantiate(\n (f(), (await import ('./x.wasm?module'))).default)", true],
  ["WebAssembly.instantiate(module, { a: import . source ('./x.wasm') })", true],
  // Brackets that are not closed.
  ["WebAssembly.instantiate(await import('./x.wasm'", true],
  ["const module = await import('./x.wasm?module')\nWebAssembly.instantiate(module, {})", false],
  ["WebAssembly.instantiate(module, {})\nconst other = await import('./x.wasm?module')", false],
  ["new WebAssembly.Instance(module, f(() => {})), import('./x.wasm?module')", false],
  ["WebAssembly.compile(await import('./x.wasm?bytes'))", false],
  ['WebAssembly.instantiate(imported, { important() {} })', false],
  ['', false],
])('%s: %s', (code, expected) => {
  expect(importsInCall(code)).toBe(expected);
});
