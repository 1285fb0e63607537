import { WasmPrecompileError } from '../../common/error.ts';
import type { WasmInterface } from '../../wasm/binary/extern-types.ts';

const RESERVED = /^wasm(?:-js)?:/;

/**
 * Refuses names that the ESM integration reserves
 * (https://webassembly.github.io/esm-integration/js-api/index.html#parse-a-webassembly-module).
 *
 * @throws WasmPrecompileError `RESERVED_NAME`
 */
export function refuseReservedNames(file: string, { imports, exports }: WasmInterface): void {
  const imported = imports.find(({ module, name }) => module.startsWith('wasm-js:') || RESERVED.test(name));
  const exported = exports.find(({ name }) => RESERVED.test(name));
  if (!imported && !exported) return;
  const what = imported
    ? `imports ${JSON.stringify(imported.name)} from ${JSON.stringify(imported.module)}`
    : `exports ${JSON.stringify(exported?.name)}`;
  throw new WasmPrecompileError(
    'RESERVED_NAME',
    `${file} ${what}: names that start with "wasm:" and "wasm-js:" are reserved if a wasm file is imported without ` +
      'a query. Import it as `?init` or `?module`.',
  );
}
