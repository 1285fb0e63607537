import type { ArtifactContents } from '../../artifact/contents.ts';
import type { ArtifactManifest } from '../../runtime/shared/manifest.ts';
import type { WasmInterface } from '../../wasm/binary/extern-types.ts';
import type { SourceModule } from '../compile/read-source.ts';
import type { OutputFile } from './rewrite-output.ts';

/** An artifact of the output with native code for all functions, which training may trim. */
export interface UntrainedArtifact extends OutputFile {
  source: SourceModule;
  contents: ArtifactContents<WasmInterface>;
  manifest: ArtifactManifest;
  /** If training may split the module: characters that generated code reserves for the manifest. */
  split: { manifestWidth: number } | undefined;
  /**
   * Whether the program imports it. Code that loads files itself often names more files than it loads, for other
   * engines.
   */
  imported: boolean;
}
