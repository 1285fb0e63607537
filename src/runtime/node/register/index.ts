/** The register hook with the index of a build. */
import { intercept } from '../../shared/link.ts';
import { checkCompatibility } from '../compatibility.ts';
import { getHook } from '../preload-hooks.ts';
import { recogniseModules } from './hook.ts';
import { createKnownModule, type IndexEntry, type IndexOptions } from './known-module.ts';
import { createRecompile, type RecompileSetup } from '../recompile/recompile.ts';
import { loadSplitShared } from '../split/load-split.ts';

/** What a build writes of the modules that the program may compile itself. */
export interface Index extends Pick<IndexOptions, 'addons' | 'fallback' | 'verify'> {
  modules: readonly IndexEntry[];
  /** The modules that a training run compiled, as JSON: see {@link readDiscovered}. */
  discovered?: { base: string; entries: string };
  recompile?: RecompileSetup;
}

/** Recognises the modules of an index from now on. */
export function register({ modules: named, discovered, recompile, ...options }: Index): void {
  // A training run compiles everything, and records what the program executes.
  if (getHook('recorder')) return;
  const modules = [...named, ...readDiscovered(discovered)];
  // The program may keep a function that instantiates before it compiles a split module.
  if (modules.some(({ manifest }) => manifest.split)) intercept();
  const known = modules.map((entry) =>
    createKnownModule(entry, {
      ...options,
      checkCompatibility,
      split: loadSplitShared,
      ...(recompile && { recompile: createRecompile(recompile) }),
    }),
  );
  recogniseModules(known);
}

/** An entry is the name of a file beside the register file, and its manifest. Before a training run there is a text. */
function readDiscovered(discovered: Index['discovered']): IndexEntry[] {
  if (!discovered) return [];
  const entries = JSON.parse(discovered.entries) as (string | [file: string, IndexEntry['manifest']])[];
  return entries.flatMap((entry) =>
    typeof entry === 'string' ? [] : [{ url: new URL(entry[0], discovered.base).href, manifest: entry[1] }],
  );
}
