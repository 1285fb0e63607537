/** `node --import unplugin-wasm-precompile/register`: the module has no exports. */
export type Exports = never;
