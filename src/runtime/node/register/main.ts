/**
 * The register file, as one bundle without other files, so that nothing runs before it. The build replaces the name
 * below by the index of the output (src/build/codegen/register.ts).
 */
import { type Index, register } from './index.ts';

declare const WASM_PRECOMPILE_INDEX: Index;

register(WASM_PRECOMPILE_INDEX);
