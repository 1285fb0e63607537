/**
 * Loads artifacts of split modules in Node (src/wasm/split/split.ts). The primary module is loaded like any other
 * module, a secondary module at the first call of a function in it.
 */
import { type Addon, type Addons, type Contents, loadAddon } from '../addon.ts';
import { type ArtifactLoad, type ArtifactOptions, loadArtifact } from '../artifact.ts';
import { builtin, fileURLToPath } from '../builtin.ts';
import { getCrc32 } from '../crc32.ts';
import { describeDamage, fail } from '../fallback.ts';
import { startMemory } from './fill.ts';
import { getHook } from '../preload-hooks.ts';
import {
  fullPrimaryPlan,
  type ReassemblySegments,
  reassemble,
  planSources,
} from '../../shared/reassembly-plan.ts';
import { intercept, type LoadSecondary, registerPrimary } from '../../shared/link.ts';
import type { ArtifactManifest, MemoryEntry, SegmentEntry, SplitEntry } from '../../shared/manifest.ts';
import { readRanges } from '../read-ranges.ts';
import { reportColdCall, reportLoad } from '../debug.ts';
import { syncOrAsync, type Steps } from '../steps.ts';
import { transferOriginal } from './transfer.ts';

export { instantiate } from '../../shared/link.ts';

const { openSync } = builtin('node:fs');
const { pathToFileURL } = builtin('node:url');

/** For modules of which only generated code makes instances, by {@link instantiate}. */
export const loadSplit: ArtifactLoad = (...load) => loadWith(false, ...load);

/** For modules that user code gets, which may make instances with any function of `WebAssembly`. */
export const loadSplitShared: ArtifactLoad = (...load) => loadWith(true, ...load);

function* loadWith(
  isShared: boolean,
  ...[url, manifest, options, addons, asynchronous]: Parameters<ArtifactLoad>
): Steps<WebAssembly.Module> {
  const { split } = manifest;
  if (!split) return yield* loadArtifact(url, manifest, options, addons, asynchronous);
  const file = fileURLToPath(url);
  const access = keepOpen(file);
  const readOriginal = () => readReassembled(access, originalPlan(manifest, split));
  const recorder = getHook('recorder');
  if (recorder || (isShared && !intercept())) {
    const { buffer } = readOriginal();
    recorder?.(buffer, file);
    const why = recorder ? 'recording' : 'functions of WebAssembly cannot be replaced';
    return yield* compile(file, buffer, why, asynchronous);
  }

  const { memory } = split;
  const plan = fullPrimaryPlan(manifest);
  let started: (() => WebAssembly.Memory) | undefined;
  const primary = yield* loadArtifact(url, manifest, options, addons, asynchronous, {
    startMemory(addon) {
      try {
        if (memory) started = startMemory(file, memory, addon);
      } catch {
        // There is no address space for it. The instantiation tries again.
      }
    },
    readFull: plan && (() => readReassembled(access, plan)),
  });
  registerPrimary(primary, {
    loadSecondary: createSecondaryLoader(file, access, manifest, split, options, addons),
    createMemory:
      memory &&
      (() => {
        const first = started;
        started = undefined;
        return createMemory(access, memory, addons, first);
      }),
  });
  if (isShared) transferOriginal(primary, () => new WebAssembly.Module(readOriginal()));
  return primary;
}

function createSecondaryLoader(
  file: string,
  access: FileAccess,
  manifest: ArtifactManifest,
  split: SplitEntry,
  options: ArtifactOptions,
  addons: Addons,
): LoadSecondary {
  const modules = new Map<number, WebAssembly.Module>();
  return (number, calledFunction) => {
    const known = modules.get(number);
    if (known) return known;
    reportColdCall(file, number, calledFunction);
    const secondary = secondaryManifest(manifest, split, number);
    const module = access(
      (path) =>
        loadArtifact(pathToFileURL(path).href, secondary, options, addons, false).next()
          .value as WebAssembly.Module,
    );
    modules.set(number, module);
    return module;
  };
}

/** @param started returns the memory that another thread has begun to fill; only for the first instance */
function createMemory(
  access: FileAccess,
  memory: MemoryEntry,
  addons: Addons,
  started: (() => WebAssembly.Memory) | undefined,
): WebAssembly.Memory {
  try {
    if (started) return started();
  } catch {
    // The file may have been replaced since. Its open descriptor still reads the old one.
  }
  const loaded = loadAddon(addons);
  const addon: Addon | undefined = typeof loaded === 'string' ? undefined : loaded;
  return access((path) => startMemory(path, memory, addon)());
}

/** Returns a manifest in which a secondary module is the only module of the artifact. */
function secondaryManifest(
  manifest: ArtifactManifest,
  { secondaries }: SplitEntry,
  number: number,
): ArtifactManifest {
  const secondary = secondaries[number - 1];
  if (!secondary) throw new RangeError(`there is no secondary module ${number}`);
  const native = manifest.native.flatMap((each, index) => {
    const segment = secondary.native[index];
    return segment ? [{ ...each, ...segment }] : [];
  });
  return { ...manifest, wire: secondary.wire, native, split: undefined };
}

/** Calls a function with a path of the file. If it throws, calls it once more with the path of the open descriptor. */
type FileAccess = <Result>(use: (path: string) => Result) => Result;

/** By path: each file is opened once, even if several modules load it. */
const openFiles = new Map<string, FileAccess>();

/**
 * Keeps a file open, if the platform has paths for open files. A program may run for a long time, and another build
 * may replace its files meanwhile.
 */
function keepOpen(file: string): FileAccess {
  const known = openFiles.get(file);
  if (known) return known;
  let open: string | undefined;
  try {
    if (process.platform === 'linux') open = `/proc/self/fd/${openSync(file, 'r')}`;
  } catch {
    // The load reports the error.
  }
  const access: FileAccess = (use) => {
    try {
      return use(file);
    } catch (error) {
      if (open === undefined) throw error;
      try {
        return use(open);
      } catch {
        throw error;
      }
    }
  };
  if (open !== undefined) openFiles.set(file, access);
  return access;
}

function readReassembled(access: FileAccess, segments: ReassemblySegments): Uint8Array<ArrayBuffer> {
  const [plan, ...sources] = access((path) => readSegments(path, segments));
  return reassemble(sources, plan);
}

/** Returns the segments that the original module is reassembled from. */
function originalPlan(
  { wire }: ArtifactManifest,
  { secondaries, memory, plan }: SplitEntry,
): ReassemblySegments {
  return [plan, ...planSources<SegmentEntry>([wire, ...secondaries.map((each) => each.wire)], memory)];
}

/** @throws Error if a segment is missing or its checksum is wrong */
function readSegments(path: string, ranges: ReassemblySegments): [Uint8Array, ...Uint8Array[]] {
  const { segments } = readRanges(path, ranges, false).next().value as Contents;
  return ranges.map((range, index) => {
    const segment = segments[index];
    const bytes = segment && new Uint8Array(segment);
    const crc32 = bytes && getCrc32()?.(bytes);
    if (bytes && (crc32 === undefined || crc32 === range.crc32)) return bytes;
    return fail(describeDamage(path));
  }) as [Uint8Array, ...Uint8Array[]];
}

/**
 * Compiles the original module: for a recorder, because profiles are of the original, and if the runtime cannot
 * intercept the instantiation of the primary.
 */
function* compile(
  file: string,
  buffer: ArrayBuffer,
  why: string,
  asynchronous: boolean,
): Steps<WebAssembly.Module> {
  const start = performance.now();
  const module = yield* syncOrAsync(
    asynchronous,
    () => new WebAssembly.Module(buffer),
    () => WebAssembly.compile(buffer),
  );
  reportLoad(file, 'compiled', why, buffer.byteLength, false, start);
  return module;
}
