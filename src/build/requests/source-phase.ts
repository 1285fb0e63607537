/**
 * `import source module from './x.wasm'` and `import.source('./x.wasm')`
 * (https://github.com/tc39/proposal-source-phase-imports).
 *
 * Rollup and Vite up to 7 parse them, but support them for external modules only. Rolldown treats the first as a plain
 * import and leaves the second unchanged. So this rewrites both to imports of `./x.wasm?module` before the bundler
 * parses them, in place: source maps stay correct, except for columns behind an import on the same line.
 */
import { init, parse } from 'es-module-lexer';
import { WasmPrecompileError } from '../../common/error.ts';
import { splitRequest, WASM_REQUEST } from './request.ts';

/** Matches code that may contain such imports, for hook filters. */
export const SOURCE_PHASE = /\bimport\s*(?:\.\s*source\s*\(|source\s[^;]+?\.wasm)/;

/**
 * Rewrites the source phase imports in a file.
 *
 * @param handles whether a specifier leads to a wasm file that the plugin handles
 * @returns undefined if nothing changes
 * @throws WasmPrecompileError `UNKNOWN_FORM` for a specifier with a query
 */
export async function rewriteSourceImports(
  code: string,
  file: string,
  handles: (specifier: string) => Promise<boolean>,
): Promise<string | undefined> {
  if (!SOURCE_PHASE.test(code)) return undefined;
  await init();
  let imports;
  try {
    [imports] = parse(code);
  } catch {
    // JSX, or a syntax error that the bundler will report.
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
    if (!(await handles(wasmFile))) continue;
    if (query !== '') {
      throw new WasmPrecompileError(
        'UNKNOWN_FORM',
        `${file} has a source phase import of "${specifier}": it always gives the module. Remove the query.`,
      );
    }
    // Position of the quotation mark that ends the specifier.
    const quoteAt = dynamic ? specifierEnd - 1 : specifierEnd;
    const phase = dynamic ? /\.\s*source/ : /source/;
    rewritten += `${code.slice(done, start)}${code.slice(start, quoteAt).replace(phase, '')}?module`;
    rewritten += code.slice(quoteAt, end);
    if (dynamic) rewritten += '.then(({ default: module }) => module)';
    done = end;
  }
  return done === 0 ? undefined : rewritten + code.slice(done);
}
