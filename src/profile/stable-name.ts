/** Suffixes and hashes that compilers add to names to make them unique, and that differ in each build. */
const UNSTABLE: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // LLVM, for internal functions that ThinLTO made public: https://llvm.org/docs/LangRef.html#identifiers
  [/\.llvm\.\d+$/, ''],
  // Rust's legacy mangling, a hash of the crate's version and of type parameters: `_ZN3foo3bar17h0123456789abcdefE`.
  // wasm-bindgen demangles it to `foo::bar::h0123456789abcdef`.
  [/17h[0-9a-f]{16}E/, 'E'],
  [/::h[0-9a-f]{16}$/, ''],
  // Rust's v0 mangling, a crate's disambiguator: `_RNvCs9ltgdHTiPiY_3foo3bar`, demangled
  // `foo[8d2f0c1b7a6e5f43]::bar`.
  // https://doc.rust-lang.org/rustc/symbol-mangling/v0.html#disambiguator
  [/(?<=^_R.*C)s[0-9A-Za-z]*_/g, ''],
  [/\[[0-9a-f]{8,16}\]/g, ''],
];

/**
 * Removes the parts of a function's name that change from build to build. The result may not be unique; do not
 * show it.
 */
export function stableName(name: string): string {
  return UNSTABLE.reduce((stable, [pattern, replacement]) => stable.replace(pattern, replacement), name);
}
