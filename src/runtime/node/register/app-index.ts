/** The index of a program that no bundler has built: `wasm-precompile app` writes it, the register hook reads it. */
import type { ArtifactManifest } from '../../shared/manifest.ts';

/** Name of the folder beside the program. */
export const APP_FOLDER = '.wasm-precompile';

/** The variable that names the folder if it is elsewhere: an absolute path. */
export const APP_VARIABLE = 'WASM_PRECOMPILE_APP';

export const APP_INDEX = 'index.json';

/** Changes with {@link AppIndex} and with the manifest. */
export const APP_FORMAT = 1;

/** Names of files are those in the folder. */
export interface AppIndex {
  format: typeof APP_FORMAT;
  addons: Record<string, [file: string, checksum: number]>;
  modules: AppModule[];
}

export interface AppModule {
  /** For messages. */
  name: string;
  file: string;
  manifest: ArtifactManifest;
}
