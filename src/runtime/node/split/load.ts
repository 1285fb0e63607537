/**
 * Demand loading in Node: artifacts of split modules (src/wasm/split/split.ts). The primary is loaded as any other module, a
 * secondary at the first call of a function in it.
 */
import { type Contents, loadAddon } from '../addon.ts';
import { type ArtifactLoad, loadArtifact } from '../artifact.ts';
import { builtin } from '../builtin.ts';
import { getCrc32 } from '../crc32.ts';
import { describeDamage, fail } from '../fallback.ts';
import { startMemory } from './fill.ts';
import { getHook } from '../preload-hooks.ts';
import {
  fullOf,
  type Reassembly,
  reassemble,
  piecesInOrder,
  piecesOf,
} from '../../shared/reassembly-plan.ts';
import { adopt, intercept } from '../../shared/link.ts';
import type { ArtifactManifest, SegmentEntry, SplitEntry } from '../../shared/manifest.ts';
import { readRanges } from '../read.ts';
import { reportColdCall, reportLoad } from '../debug.ts';
import { either, type Steps } from '../steps.ts';
import { guardTransfer } from './transfer.ts';

export { instantiate, intercept } from '../../shared/link.ts';

const { openSync } = builtin('node:fs');
const { fileURLToPath, pathToFileURL } = builtin('node:url');

/** For modules of which only our glue code makes instances, by {@link instantiate}. */
export const loadSplit: ArtifactLoad = (...load) => loadWith(false, ...load);

/** For modules that others get: they make instances as they like. */
export const loadSplitShared: ArtifactLoad = (...load) => loadWith(true, ...load);

function* loadWith(
  others: boolean,
  ...[url, manifest, options, addons, asynchronous]: Parameters<ArtifactLoad>
): Steps<WebAssembly.Module> {
  const { split: parts } = manifest;
  if (!parts) return yield* loadArtifact(url, manifest, options, addons, asynchronous);
  const file = fileURLToPath(url);
  const open = keepOpen(file);
  const recorder = getHook('recorder');
  if (recorder || (others && !intercept())) {
    const { buffer } = readJoined(open, wholeOf(manifest, parts));
    recorder?.(buffer, file);
    const why = recorder ? 'recording' : 'functions of WebAssembly cannot be replaced';
    return yield* compile(file, buffer, why, asynchronous);
  }

  const { memory } = parts;
  const full = fullOf(manifest);
  let first: (() => WebAssembly.Memory) | undefined;
  const primary = yield* loadArtifact(url, manifest, options, addons, asynchronous, {
    begin(addon) {
      try {
        if (memory) first = startMemory(file, memory, addon);
      } catch {
        // There is no room. It is tried again when the memory is needed.
      }
    },
    full: full && (() => readJoined(open, full)),
  });
  const modules = new Map<number, WebAssembly.Module>();
  adopt(primary, {
    load(number, calledFunction) {
      const known = modules.get(number);
      if (known) return known;
      reportColdCall(file, number, calledFunction);
      const partMap = mapOfPart(manifest, parts, number);
      const module = open(
        (path) =>
          loadArtifact(pathToFileURL(path).href, partMap, options, addons, false).next()
            .value as WebAssembly.Module,
      );
      modules.set(number, module);
      return module;
    },
    createMemory:
      memory &&
      (() => {
        const started = first;
        first = undefined;
        try {
          if (started) return started();
        } catch {
          // The file is another one by now, perhaps.
        }
        const loaded = loadAddon(addons);
        const addon = typeof loaded === 'string' ? undefined : loaded;
        return open((path) => startMemory(path, memory, addon)());
      }),
  });
  if (others)
    guardTransfer(primary, () => new WebAssembly.Module(readJoined(open, wholeOf(manifest, parts))));
  return primary;
}

/** A secondary, as if it were the only module of the artifact. */
function mapOfPart(
  manifest: ArtifactManifest,
  { secondaries: parts }: SplitEntry,
  number: number,
): ArtifactManifest {
  const part = parts[number - 1];
  if (!part) throw new RangeError(`there is no part ${number}`);
  const native = manifest.native.flatMap((each, index) => {
    const segment = part.native[index];
    return segment ? [{ ...each, ...segment }] : [];
  });
  return { ...manifest, wire: part.wire, native, split: undefined };
}

type Open = <Result>(use: (path: string) => Result) => Result;

/** By path: a file is opened once, however often it is loaded. */
const opened = new Map<string, Open>();

/**
 * A program may run for long, and its files be replaced by another build's meanwhile: gives access to a file as it is now,
 * where the platform has paths for open files.
 */
function keepOpen(file: string): Open {
  const known = opened.get(file);
  if (known) return known;
  let open: string | undefined;
  try {
    if (process.platform === 'linux') open = `/proc/self/fd/${openSync(file, 'r')}`;
  } catch {
    // The load will tell.
  }
  const access: Open = (use) => {
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
  if (open !== undefined) opened.set(file, access);
  return access;
}

function readJoined(open: Open, ranges: Reassembly): Uint8Array<ArrayBuffer> {
  const [recipe, ...parts] = open((path) => readSegments(path, ranges));
  return reassemble(parts, recipe);
}

/** Whether a split artifact is that of a module with these bytes. */
export function matchesOriginal(url: string, manifest: ArtifactManifest, bytes: Uint8Array): boolean {
  const { split: parts } = manifest;
  if (!parts) return false;
  const [recipe, ...pieces] = readSegments(fileURLToPath(url), wholeOf(manifest, parts));
  let end = 0;
  return piecesOf(pieces, recipe).every((piece) => {
    const start = end;
    end += piece.length;
    return Buffer.compare(piece, bytes.subarray(start, end)) === 0;
  });
}

/** What gives the module as it was before it was split. */
function wholeOf(
  { wire }: ArtifactManifest,
  { secondaries: parts, memory, plan: recipe }: SplitEntry,
): Reassembly {
  return [recipe, ...piecesInOrder<SegmentEntry>([wire, ...parts.map((part) => part.wire)], memory)];
}

/** Those whose checksums are right. */
function readSegments(path: string, ranges: Reassembly): [Uint8Array, ...Uint8Array[]] {
  const { segments } = readRanges(path, ranges, false).next().value as Contents;
  return ranges.map((range, index) => {
    const segment = segments[index];
    const bytes = segment && new Uint8Array(segment);
    const crc32 = bytes && getCrc32()?.(bytes);
    if (bytes && (crc32 === undefined || crc32 === range.crc32)) return bytes;
    return fail(describeDamage(path));
  }) as [Uint8Array, ...Uint8Array[]];
}

/** The whole module: recorders get it, since profiles are of that; and where nobody could make instances of its primary whole. */
function* compile(
  file: string,
  buffer: ArrayBuffer,
  why: string,
  asynchronous: boolean,
): Steps<WebAssembly.Module> {
  const start = performance.now();
  const module = yield* either(
    asynchronous,
    () => new WebAssembly.Module(buffer),
    () => WebAssembly.compile(buffer),
  );
  reportLoad(file, 'compiled', why, buffer.byteLength, false, start);
  return module;
}
