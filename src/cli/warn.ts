/** Prints to standard error, because standard output is for results. */
export function warn(message: string): void {
  console.error(`wasm-precompile: warning: ${message}`);
}
