// `node --import unplugin-wasm-precompile/register` has no exports.
declare const nothing: undefined;
export default nothing;
