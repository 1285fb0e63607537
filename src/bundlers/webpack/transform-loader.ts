/** The loader for scripts that may load wasm files at run time: webpack finds loaders by their files. */
import type { SourceMapInput } from '@jridgewell/remapping';
import type { LoaderContext, LoaderDefinitionFunction } from 'webpack';

export interface TransformLoaderOptions {
  transform: (loader: LoaderContext<TransformLoaderOptions>, module: LoadedModule) => Promise<LoadedModule>;
}

/** What one loader passes to the next. */
export interface LoadedModule {
  contents: Buffer | string;
  map: SourceMapInput | undefined;
}

type SourceMap = Parameters<LoaderDefinitionFunction>[1];

export default async function transform(
  this: LoaderContext<TransformLoaderOptions>,
  contents: Buffer,
  map: SourceMap,
  additional: unknown,
): Promise<void> {
  const done = this.async();
  let module: LoadedModule;
  try {
    module = await this.getOptions().transform(this, { contents, map: map as LoadedModule['map'] });
  } catch (error) {
    done(error as Error);
    return;
  }
  done(null, module.contents, module.map as SourceMap, additional as object);
}

/** A module that needs no change is passed on byte for byte. */
export const raw = true;
