/**
 * The register file, as one bundle without other files, so that nothing runs before it. The build replaces the name
 * below by the index of the output (src/build/codegen/register.ts).
 */
import { reportFallback } from '../fallback.ts';
import { type Index, register } from './index.ts';

declare const WASM_PRECOMPILE_INDEX: Index;

// A tool that bundles an output again may have replaced `import.meta`. The program must start all the same.
try {
  register(WASM_PRECOMPILE_INDEX);
} catch (error) {
  reportFallback(
    'warn',
    'wasm-precompile-register',
    (error as Error).message,
    'Deploy the output as the bundler wrote it.',
  );
}
