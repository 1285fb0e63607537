/** Handles for modules that load later, in Node and in browsers. */

export interface AsyncModuleHandle {
  /** Loads the module once; after a failure, the next call tries again. */
  load(): Promise<WebAssembly.Module>;
}

export interface CompileOptions {
  /**
   * If the module uses JS string builtins or string constants: the module name that it imports string constants from.
   */
  builtins?: string;
}

/**
 * Returns the default export of `?init`: loads the module once and makes a new instance at each call.
 *
 * @param instantiate the function of link.ts, if the module may be split
 */
export function initializer(
  handle: AsyncModuleHandle,
  instantiate: (
    module: WebAssembly.Module,
    imports: WebAssembly.Imports,
  ) => Promise<WebAssembly.Instance> = WebAssembly.instantiate,
): (imports?: WebAssembly.Imports) => Promise<WebAssembly.Instance> {
  return async (imports) => instantiate(await handle.load(), imports ?? {});
}

/**
 * Returns the arguments for a function that compiles. TypeScript's library does not know the second one yet (the JS
 * string builtins proposal).
 */
export function compileArguments<Source>(source: Source, { builtins }: CompileOptions): [Source] {
  const options = { builtins: ['js-string'], importedStringConstants: builtins };
  return (builtins ? [source, options] : [source]) as [Source];
}

/** Shares one promise between all callers; after a failure, the next call makes a new one. */
export function once(load: () => Promise<WebAssembly.Module>): () => Promise<WebAssembly.Module> {
  let pending: Promise<WebAssembly.Module> | undefined;
  return () =>
    (pending ??= load().catch((error: unknown) => {
      pending = undefined;
      throw error;
    }));
}
