/** Parses JavaScript and TypeScript, for bundlers that give plugins no parser. */
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
 * Modules and scripts, whichever it is.
 *
 * @throws where it is neither
 */
export async function parseScript(code: string, language: ScriptLanguage): Promise<Program> {
  // Few builds need it, and it takes them a while.
  const { parse } = await import('@babel/parser');
  const { program } = parse(code, {
    sourceType: 'unambiguous',
    // As CommonJS has it.
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
