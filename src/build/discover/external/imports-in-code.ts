/** Imports of packages in scripts that a bundler has written, for bundlers that do not say which they left there. */
import { type ExternalImport, packageName } from './packages.ts';

/** `from "x"`, `import "x"`, `import("x")`, `require("x")`, `__require("x")`, also after minification. */
const IMPORT = /(?:\bfrom|\bimport|\b_*require\d*)\s*\(?\s*(["'`])([^"'`\n$]+)\1/g;

/**
 * A text that only looks like an import is harmless: a package that is not installed, or holds no wasm, is skipped.
 *
 * @param folders absolute paths from which Node resolves the imports
 */
export function importsInCode(code: string, folders: readonly string[]): ExternalImport[] {
  const specifiers = new Set([...code.matchAll(IMPORT)].map(([, , specifier = '']) => specifier));
  return [...specifiers]
    .filter((specifier) => packageName(specifier) !== undefined)
    .flatMap((specifier) => folders.map((folder) => ({ specifier, folder })));
}
