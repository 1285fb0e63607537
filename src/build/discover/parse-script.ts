/** Parses JavaScript and TypeScript, for bundlers that provide plugins with no parser. */
import type { ParserPlugin } from '@babel/parser';
import type { Program } from 'estree';

export type ScriptLanguage = 'js' | 'jsx' | 'ts' | 'tsx';

const SYNTAX: Record<ScriptLanguage, ParserPlugin[]> = {
  js: ['jsx'],
  jsx: ['jsx'],
  ts: ['typescript'],
  tsx: ['typescript', 'jsx'],
};

/**
 * Parses a module or a script.
 *
 * @throws if the code is neither
 */
export async function parseScript(code: string, language: ScriptLanguage): Promise<Program> {
  // Loaded on demand: few builds need the parser, and loading it is slow.
  const { parse } = await import('@babel/parser');
  const { program } = parse(code, {
    sourceType: 'unambiguous',
    // CommonJS modules may return at the top level.
    allowReturnOutsideFunction: true,
    allowNewTargetOutsideFunction: true,
    createImportExpressions: true,
    attachComment: false,
    plugins: [
      'estree',
      'decorators-legacy',
      'explicitResourceManagement',
      'sourcePhaseImports',
      ...SYNTAX[language],
    ],
  });
  return program as unknown as Program;
}
