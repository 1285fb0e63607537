/** The loader for wasm files: webpack finds loaders by their files. */
import type { LoaderContext } from 'webpack';

export interface LoaderOptions {
  /** Returns the code for the module that is being loaded. */
  load: (loader: LoaderContext<LoaderOptions>) => Promise<string>;
}

export default function load(this: LoaderContext<LoaderOptions>): Promise<string> {
  return this.getOptions().load(this);
}

/** The file's contents are bytes, not text. */
export const raw = true;
