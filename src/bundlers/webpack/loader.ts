/** The loader of webpack.ts: webpack finds loaders by their files. */
import type { LoaderContext } from 'webpack';
import type { LoaderOptions } from './plugin.ts';

export default function load(this: LoaderContext<LoaderOptions>): Promise<string> {
  return this.getOptions().load(this);
}

/** The contents of the file are no text. */
export const raw = true;
