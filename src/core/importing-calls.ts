/**
 * Code that makes an instance in the very expression that imports its module:
 *
 *     WebAssembly.instantiate((await import('./x.wasm?module')).default, imports)
 *
 * JavaScript has got hold of `WebAssembly.instantiate` by then, as it was before the module came: nobody can make instances of a
 * split module whole (runtime/link.ts).
 */

const CALL = /\bWebAssembly\s*\.\s*(?:instantiate|Instance)\s*\(/g;
const IMPORT = /\bimport\s*(?:\.\s*source\s*)?\(/;

/** Whether there may be such code: looks at brackets only, so that there is none where it says so. */
export function importsInCall(code: string): boolean {
  return [...code.matchAll(CALL)].some(({ index, 0: { length } }) =>
    IMPORT.test(argumentsAt(code, index + length)),
  );
}

/** What is in brackets, without those. @param start behind the first one */
function argumentsAt(code: string, start: number): string {
  let open = 1;
  let end = start;
  for (; end < code.length && open > 0; end++) {
    if (code[end] === '(') open++;
    else if (code[end] === ')') open--;
  }
  return code.slice(start, end);
}
