/** Whether a module is split for demand loading, and its parts: each valid for every target, kept between builds. */
import { startupSize } from '../../artifact/startup-size.ts';
import { formatEngineKey } from '../../v8/engine-key.ts';
import { type KnownTarget, whyInvalid } from '../../v8/target.ts';
import { messageOf } from '../../common/error.ts';
import { reassemble, piecesInOrder } from '../../runtime/shared/reassembly-plan.ts';
import { PRODUCER } from '../../common/version.ts';
import { SectionId, type Sections } from '../../wasm/binary/sections.ts';
import { maxSecondaries } from '../../wasm/split/owners.ts';
import { splitModule, type SplitModule } from '../../wasm/split/split.ts';
import { type Cache, cacheKey } from './cache.ts';
import { sha256, sha256OfIndices } from '../../common/sha256.ts';
import { formatSize } from '../output/summary.ts';

export interface ResolvedSplit {
  /** Whether the user has asked for it, and wants to know why a module stays whole. */
  asked: boolean;
  /** How many secondaries there are to be at most, besides that of a lean primary; undefined: as many as it takes. */
  secondaries: number | undefined;
  /** Bytes that a start must be spared at least. */
  minSaving: number;
}

export interface SplitModules {
  primary: Uint8Array;
  secondaries: readonly Uint8Array[];
  /** The memory, where it is apart from the primary. */
  memory?: Uint8Array | undefined;
  full?: SplitModule['full'];
  plan: Uint8Array;
}

/**
 * Parts, or why a module stays whole: a clause, such as `its memory is shared between threads`; and whether it could be
 * split all the same.
 */
export type SplitResult =
  | { parts: SplitModules; whole?: undefined; possible?: undefined }
  | { parts?: undefined; whole: string; possible?: boolean };

/** A module as it will be loaded. */
interface LoadedModule {
  file: string;
  wire: Uint8Array;
  module: Pick<Sections, 'sections'>;
}

/** What says whether parts are valid, and what is best for whoever loads them. */
export interface Validator {
  /** Of the engine that says it. */
  key: string;
  /** The most bytes that a part may have. */
  maxPart: number;
  /** From how many bytes of data on a memory lies beside its primary. */
  leastMemory: number;
  /** From how many bytes of bodies on a primary lacks those that native code has. */
  leastBodies: number;
  /** In the engine's own words; undefined where all are. */
  whyInvalid: (parts: readonly Uint8Array[]) => Promise<string | undefined>;
}

/** To be raised where {@link splitModule} comes to make something else of the same, within a version of the package. */
const REVISION = 6;

/** More than this and it is felt in what a start loads; less, and functions of 2 KB of esbuild-wasm have no room. */
const NEAR = 0.1;

/** Bytes of data. */
const LEAST_MEMORY = 256 * 1024;

/** Bytes: less than that, and V8 copies them in no time. */
const LEAST_BODIES = 64 * 1024;

/** The most bytes that Chromium compiles at once on a page's main thread (`kWasmWireBytesLimit` in Blink). */
const MAX_BROWSER_PART = 8 * 1024 ** 2;

/** For parts that a target will load. @param timeLimit milliseconds */
export function validatorOf(target: KnownTarget, timeLimit: number): Validator {
  return {
    key: formatEngineKey(target.engine.key),
    maxPart: Number.POSITIVE_INFINITY,
    leastMemory: LEAST_MEMORY,
    leastBodies: LEAST_BODIES,
    whyInvalid: (parts) => whyInvalid(target, parts, timeLimit),
  };
}

/** For parts that browsers will load: the engine that builds stands for theirs, which have at least what the parts use. */
export const FOR_BROWSERS: Validator = {
  key: `browsers ${process.version}`,
  maxPart: MAX_BROWSER_PART,
  // It would take them a second request.
  leastMemory: Number.POSITIVE_INFINITY,
  // They have no native code.
  leastBodies: Number.POSITIVE_INFINITY,
  async whyInvalid(parts) {
    const invalid = parts.find((part) => !WebAssembly.validate(Uint8Array.from(part)));
    return invalid && WebAssembly.compile(Uint8Array.from(invalid)).then(() => undefined, messageOf);
  },
};

/** How many secondaries a module can have at most: the map in the glue code has room for them. */
export function secondariesLimit(
  { module }: Pick<LoadedModule, 'module'>,
  split: ResolvedSplit | undefined,
): number {
  if (!split) return 0;
  const code = module.sections.find(({ id }) => id === SectionId.Code);
  // One more has the bodies of what native code has.
  return (split.secondaries ?? maxSecondaries(code?.size ?? 0)) + 1;
}

/**
 * @param hot functions that a start executes, by their indices
 * @param validators for each of which every part must be valid
 */
export async function splitForEngines(
  { file, wire }: LoadedModule,
  hot: ReadonlySet<number>,
  validators: readonly Validator[],
  { secondaries: parts, minSaving }: ResolvedSplit,
  cache: Cache,
): Promise<SplitResult> {
  const leastBodies = Math.max(...validators.map((each) => each.leastBodies));
  const leastMemory = Math.max(...validators.map((each) => each.leastMemory));
  const entry = cacheKey({
    producer: PRODUCER,
    revision: REVISION,
    split: sha256(wire),
    engines: validators.map(({ key }) => key).join(' '),
    functions: sha256OfIndices(hot),
    parts: parts ?? 0,
    minSaving,
    leastMemory,
    leastBodies,
  });
  const cached = await cache.get(entry);
  if (cached) return { parts: decodeParts(cached) };

  // V8 has had tail calls for longer than any target; what is said of validity below holds for them, too. Browsers without them
  // load the module whole.
  const split = splitModule(
    wire,
    hot,
    { secondaries: parts, tailCalls: true, near: NEAR, leastMemory, leastBodies },
    file,
  );
  if ('whole' in split) return split;
  const [primary, ...secondaries] = split.parts;
  if (!primary) return { whole: 'it has no parts' };
  const { memory, full } = split;
  const saving = wire.length - startupSize({ primary: full?.primary ?? primary, memory });
  if (saving < minSaving) {
    return { whole: `it would save a start no more than ${formatSize(saving)}`, possible: true };
  }
  if (Buffer.compare(reassemble(piecesInOrder(split.parts, memory), split.recipe), wire) !== 0) {
    return { whole: 'its parts do not make the same module again' };
  }
  const bodies = secondaries.at(-1);
  if (full && bodies && Buffer.compare(reassemble([primary, bodies], full.plan), full.primary) !== 0) {
    return { whole: 'its parts do not make its primary again' };
  }
  const most = Math.min(...validators.map(({ maxPart }) => maxPart));
  const largest = Math.max(...secondaries.map(({ length }) => length));
  if (largest > most) {
    return {
      whole: `a part of it would have ${formatSize(largest)}, and browsers load no more than ${formatSize(most)} at once`,
    };
  }
  const modules = full ? [...split.parts, full.primary] : split.parts;
  const reasons = await Promise.all(validators.map((validator) => validator.whyInvalid(modules)));
  const reason = reasons.find((each) => each !== undefined);
  if (reason !== undefined) return { whole: `its parts are not valid: ${reason}` };
  const found: SplitModules = { primary, secondaries, memory, full, plan: split.recipe };
  await cache.set(entry, encodeParts(found));
  return { parts: found };
}

/** A count, then sizes, then bytes: u32, little-endian. What is not there is empty. */
function encodeParts({ primary, secondaries, memory, full, plan: recipe }: SplitModules): Uint8Array {
  const none = new Uint8Array();
  const optional = [memory ?? none, full?.primary ?? none, full?.plan ?? none];
  const chunks = [primary, recipe, ...optional, ...secondaries];
  const head = Buffer.alloc(4 * (chunks.length + 1));
  for (const [index, value] of [chunks.length, ...chunks.map(({ length }) => length)].entries()) {
    head.writeUInt32LE(value, index * 4);
  }
  return Buffer.concat([head, ...chunks]);
}

function decodeParts(encoded: Uint8Array): SplitModules {
  const { buffer, byteOffset, byteLength } = encoded;
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  const count = bytes.readUInt32LE(0);
  let offset = 4 * (count + 1);
  const chunks = Array.from({ length: count }, (_, index) => {
    const size = bytes.readUInt32LE(4 * (index + 1));
    offset += size;
    return bytes.subarray(offset - size, offset);
  });
  const none = new Uint8Array();
  const [primary = none, recipe = none, memory = none, full = none, fullRecipe = none, ...secondaries] =
    chunks;
  return {
    primary,
    plan: recipe,
    secondaries,
    memory: memory.length > 0 ? memory : undefined,
    full: full.length > 0 ? { primary: full, plan: fullRecipe } : undefined,
  };
}
