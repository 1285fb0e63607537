/** A module that the build precompiled, as the register hook sees it. */
import type { ArtifactManifest } from '../../shared/manifest.ts';
import { type Addons, loadAddon } from '../addon.ts';
import { type ArtifactOptions, loadArtifact } from '../artifact.ts';
import { builtin } from '../builtin.ts';
import { getCrc32 } from '../crc32.ts';
import { type FallbackMode, reportFallback } from '../fallback.ts';
import { createHandle } from '../steps.ts';
import { isEqual, originalOf, readOriginal } from './compare.ts';

const { fileURLToPath } = builtin('node:url');

/** An entry of the index that a build writes. */
export interface IndexEntry {
  /** File URL of the artifact. */
  url: string;
  manifest: ArtifactManifest;
}

/** What all modules of one build have in common. */
export interface IndexOptions extends ArtifactOptions {
  fallback: FallbackMode;
  addons: Addons;
}

/** Both ways to load return undefined if the engine is to compile the program's own bytes. */
export interface KnownModule {
  /** Bytes. */
  size: number;
  /** Hexadecimal; two entries with the same build id are the same artifact. */
  buildId: string;
  hasBytes(bytes: Uint8Array): boolean;
  load(): Promise<WebAssembly.Module | undefined>;
  loadSync(): WebAssembly.Module | undefined;
  /** The module as the program passed it, if the loaded one differs in its bytes. */
  readOriginal: (() => Uint8Array<ArrayBuffer>) | undefined;
}

export function createKnownModule({ url, manifest }: IndexEntry, options: IndexOptions): KnownModule {
  const { addons, fallback } = options;
  const file = fileURLToPath(url);
  const { size } = originalOf(manifest);
  /** A clone of a primary would be the original module (split/transfer.ts), so primaries are loaded again. */
  const isCloned = !manifest.split;
  /** Weak: a program that dropped its module gets the memory back. */
  let last: WeakRef<WebAssembly.Module> | undefined;
  let loading: Promise<WebAssembly.Module> | undefined;

  const open = () => {
    const load = options.split ?? loadArtifact;
    return createHandle((asynchronous) => load(url, manifest, options, addons, asynchronous));
  };
  const keep = (loaded: WebAssembly.Module) => {
    if (isCloned) last = new WeakRef(loaded);
    return loaded;
  };
  /** The engine returns a new object for each call; V8 shares the code behind them. */
  const clone = () => {
    const loaded = last?.deref();
    return loaded && structuredClone(loaded);
  };
  const loadOnce = async () => {
    if (loading && isCloned) return structuredClone(await loading);
    loading = open().load();
    try {
      return keep(await loading);
    } finally {
      loading = undefined;
    }
  };
  const report = (error: unknown) =>
    reportFallback(
      fallback,
      file,
      error instanceof Error ? error.message : String(error),
      'Deploy the complete build again.',
    );
  const refuse = (error: unknown) => {
    // The user asked for this error.
    if (fallback === 'error') throw error;
    report(error);
    return undefined;
  };

  return {
    size,
    buildId: manifest.buildId,
    hasBytes(bytes) {
      let reason: unknown;
      try {
        const addon = loadAddon(addons);
        if (isEqual(file, manifest, bytes, typeof addon === 'string' ? undefined : addon)) return true;
        // The program has the right module, so the artifact is wrong.
        if (getCrc32()?.(bytes) === originalOf(manifest).crc32)
          reason = 'it is damaged or holds another module';
      } catch (error) {
        reason = error;
      }
      if (reason !== undefined) report(reason);
      return false;
    },
    load: async () => clone() ?? loadOnce().catch(refuse),
    loadSync() {
      try {
        return clone() ?? keep(open().loadSync());
      } catch (error) {
        return refuse(error);
      }
    },
    readOriginal: manifest.split && (() => readOriginal(file, manifest)),
  };
}
