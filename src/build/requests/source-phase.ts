/**
 * `import source module from './x.wasm'` and `import.source('./x.wasm')`
 * (https://github.com/tc39/proposal-source-phase-imports). Rollup and Vite up to 7 parse them but take them for external modules
 * only; Rolldown takes the first for a plain import and leaves the second as it is. So neither gets to see them: they become
 * imports of `./x.wasm?module`, in place, so that source maps stay right but for columns behind them.
 */
import { init, parse } from 'es-module-lexer';
import { WasmPrecompileError } from '../../common/error.ts';
import { splitRequest, WASM_REQUEST } from './request.ts';

/** Code that may have them, for hook filters. */
export const SOURCE_PHASE = /\bimport\s*(?:\.\s*source\s*\(|source\s[^;]+?\.wasm)/;

/**
 * @param isOurs tells whether a specifier leads to a wasm file that is handled here
 * @returns undefined where there is nothing to change
 * @throws WasmPrecompileError `UNKNOWN_FORM` for a specifier with a query
 */
export async function rewriteSourceImports(
  code: string,
  file: string,
  isOurs: (specifier: string) => Promise<boolean>,
): Promise<string | undefined> {
  if (!SOURCE_PHASE.test(code)) return undefined;
  await init();
  let imports;
  try {
    [imports] = parse(code);
  } catch {
    // JSX, or the bundler will say what is wrong.
    return undefined;
  }
  let rewritten = '';
  let done = 0;
  for (const found of imports) {
    if (!('phase' in found) || found.phase !== 'source') continue;
    const { specifier, importStart: start, end: specifierEnd, importEnd: end } = found;
    const dynamic = found.type === 'dynamic';
    if (specifier === undefined || !WASM_REQUEST.test(specifier)) continue;
    const { file: wasmFile, query } = splitRequest(specifier);
    if (!(await isOurs(wasmFile))) continue;
    if (query !== '') {
      throw new WasmPrecompileError(
        'UNKNOWN_FORM',
        `${file} has a source phase import of "${specifier}": it gives the module itself, and takes no query.`,
      );
    }
    // Where the quotation mark is that ends the specifier.
    const quoteAt = dynamic ? specifierEnd - 1 : specifierEnd;
    const phase = dynamic ? /\.\s*source/ : /source/;
    rewritten += `${code.slice(done, start)}${code.slice(start, quoteAt).replace(phase, '')}?module`;
    rewritten += code.slice(quoteAt, end);
    if (dynamic) rewritten += '.then(({ default: module }) => module)';
    done = end;
  }
  return done === 0 ? undefined : rewritten + code.slice(done);
}
