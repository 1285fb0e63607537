/**
 * The register hook as a file of its own: the build puts it beside the program's entries, which import it
 * first. It is one bundle without imports, so that nothing runs before it.
 */
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
  recompile?: RecompileSetup;
}

/** Recognises the modules of an index from now on. */
export function register({ modules, recompile, ...options }: Index): void {
  // A training run compiles everything, and records what the program executes.
  if (modules.length === 0 || getHook('recorder')) return;
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
