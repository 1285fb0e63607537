/** The loader of webpack.ts for code that loads wasm files by itself: webpack finds loaders by their files. */
import type { LoaderContext, LoaderDefinitionFunction } from 'webpack';
import type { TransformLoaderOptions, LoadedModule } from './plugin.ts';

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

/** What need not be changed stays as it came. */
export const raw = true;
