export interface SplitOptions {
  /**
   * The most secondaries to make, besides that of a stubbed primary. By default about one for every 4 MiB of code.
   */
  secondaries?: number | undefined;
  /**
   * Whether stubs may use tail calls, which take no room on the stack. If the module has tail calls itself,
   * stubs always use them: otherwise a loop through several modules would grow the stack.
   */
  tailCalls: boolean;
  /**
   * Space for functions that startup is likely to call (likely-functions.ts): a share of the bytes of hot
   * functions. They stay in the primary. Default: 0.
   */
  likelyShare?: number | undefined;
  /** The least bytes of data for which the memory is separated from the primary. Default: never. */
  minSeparateMemory?: number | undefined;
  /**
   * The least bytes of bodies for which the primary is stubbed. Requires native code for the functions in
   * `hot`. Default: never.
   */
  minStubbedBodies?: number | undefined;
}
