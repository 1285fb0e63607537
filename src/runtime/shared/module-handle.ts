/** What the runtimes for Node and for browsers share. */

export interface AsyncModuleHandle {
  /** Gives the module; the work is done once, and again after a failure. */
  load(): Promise<WebAssembly.Module>;
}

export interface CompileOptions {
  /** Where the module uses JS string builtins or string constants: the module name of the latter. */
  builtins?: string;
}

/**
 * The default export of `?init`: compiles once, makes a new instance at each call.
 *
 * @param instantiate that of link.ts, where the module may be split
 */
export function initializer(
  loader: AsyncModuleHandle,
  instantiate: (
    module: WebAssembly.Module,
    imports: WebAssembly.Imports,
  ) => Promise<WebAssembly.Instance> = WebAssembly.instantiate,
): (imports?: WebAssembly.Imports) => Promise<WebAssembly.Instance> {
  return async (imports) => instantiate(await loader.load(), imports ?? {});
}

/**
 * The arguments for a function that compiles. TypeScript's library does not know the second one yet (the JS
 * string builtins proposal).
 */
export function compileArguments<Source>(source: Source, { builtins }: CompileOptions): [Source] {
  const options = { builtins: ['js-string'], importedStringConstants: builtins };
  return (builtins ? [source, options] : [source]) as [Source];
}

/** Shares one promise between all callers, until it fails. */
export function once(load: () => Promise<WebAssembly.Module>): () => Promise<WebAssembly.Module> {
  let pending: Promise<WebAssembly.Module> | undefined;
  return () =>
    (pending ??= load().catch((error: unknown) => {
      pending = undefined;
      throw error;
    }));
}
