/** Describes an output that the bundler has written. */
import { dirname, resolve } from 'node:path';
import type { WrittenOutput } from '../../build/bundler-context.ts';
import type { OutputFile } from '../../build/output/rewrite-output.ts';
import type { RollupContext } from './context.ts';
import { type EmittedAssets, fileNameOf } from './emitted-assets.ts';
import {
  type AssetFileNames,
  findAssetHash,
  findOutputFiles,
  type SourceMapFileNames,
  type WrittenFile,
} from './file-names.ts';
import { updateBundle } from './update-bundle.ts';

/** What is used of the output options. */
export interface OutputSettings {
  dir?: string | undefined;
  file?: string | undefined;
  format?: string | undefined;
  assetFileNames: AssetFileNames;
  sourcemapFileNames?: SourceMapFileNames;
}

export function describeOutput(
  context: RollupContext,
  assets: EmittedAssets,
  settings: OutputSettings,
  bundle: Record<string, WrittenFile>,
): WrittenOutput {
  return {
    folder: folderOf(settings),
    files: () => findOutputFiles(Object.values(bundle), settings.sourcemapFileNames),
    find: (id) => findEmitted(context, assets, settings, id),
    keepNames: undefined,
    update: (rewritten) => updateBundle(bundle, rewritten, context.meta.rolldownVersion !== undefined),
  };
}

/** Returns a file that the plugin has emitted, by its id. */
export function findEmitted(
  context: RollupContext,
  assets: EmittedAssets,
  settings: OutputSettings,
  id: string,
): OutputFile | undefined {
  const name = fileNameOf(context, id);
  const asset = assets.get(context, id);
  if (name === undefined || !asset) return undefined;
  return { name, hash: findAssetHash(name, asset.name, asset.source, settings.assetFileNames) };
}

/** Returns the absolute path of an output's folder; undefined if the options name none. */
export function folderOf({ dir, file }: Pick<OutputSettings, 'dir' | 'file'>): string | undefined {
  const folder = dir ?? (file === undefined ? undefined : dirname(file));
  return folder === undefined ? undefined : resolve(folder);
}
