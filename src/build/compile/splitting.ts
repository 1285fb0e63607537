/** Splits a module, checks the result with every engine that will load it, and caches it between builds. */
import { startupSize } from '../../artifact/startup-size.ts';
import { formatBytes } from '../../common/format-bytes.ts';
import { messageOf } from '../../common/error.ts';
import { sha256, sha256OfIndices } from '../../common/sha256.ts';
import { PRODUCER } from '../../common/version.ts';
import { planSources, reassemble } from '../../runtime/shared/reassembly-plan.ts';
import { formatEngineKey } from '../../v8/engine-key.ts';
import { type KnownTarget } from '../../v8/target.ts';
import { whyInvalid } from '../../v8/accept.ts';
import { SectionId, type Sections } from '../../wasm/binary/sections.ts';
import { maxSecondaries } from '../../wasm/split/assign-functions.ts';
import { splitModule, type SplitModule } from '../../wasm/split/split-module.ts';
import type { ResolvedSplit } from '../options/resolve.ts';
import { type Cache, cacheKey } from './cache.ts';

export interface SplitModules {
  primary: Uint8Array;
  secondaries: readonly Uint8Array[];
  /** The memory, if it is separate from the primary module. */
  memory?: Uint8Array | undefined;
  /** For a stubbed primary module: the full one. */
  full?: SplitModule['full'];
  plan: Uint8Array;
}

/**
 * The split module, or why the module is not split: a clause, such as `its memory is shared between threads`.
 * `possible`: the module could be split, but splitting would save too little.
 */
export type SplitResult =
  | { modules: SplitModules; unsplitReason?: undefined; possible?: undefined }
  | { modules?: undefined; unsplitReason: string; possible?: boolean };

/** The wire bytes that the program will load, with their sections. */
interface LoadedModule {
  file: string;
  wire: Uint8Array;
  module: Pick<Sections, 'sections'>;
}

/** An engine that validates split modules, and the limits that suit the runtime that loads them. */
export interface Validator {
  /** Identifies the engine in cache keys. */
  key: string;
  /** The most bytes that a secondary module may have. */
  maxSecondarySize: number;
  /** Bytes of data from which the memory is separate from the primary module. */
  leastMemory: number;
  /** Bytes of function bodies from which the primary module is stubbed. */
  leastBodies: number;
  /** The engine's own message for an invalid module; undefined if all modules are valid. */
  whyInvalid: (modules: readonly Uint8Array[]) => Promise<string | undefined>;
}

/** Bump when {@link splitModule} makes a different output for the same input, within one version of the package. */
const REVISION = 7;

/**
 * The share of bytes of near functions. A higher share makes startups load noticeably more; a lower one has no room
 * for the functions of 2 KiB in esbuild-wasm.
 */
const NEAR = 0.1;

/** Bytes of data. */
const LEAST_MEMORY = 256 * 1024;

/** Bytes of function bodies. V8 copies less than this in no measurable time. */
const LEAST_BODIES = 64 * 1024;

/** The most bytes that Chromium compiles synchronously on a page's main thread (`kWasmWireBytesLimit` in Blink). */
const MAX_BROWSER_SECONDARY = 8 * 1024 ** 2;

/** Validates with a target of the build. @param timeLimit milliseconds */
export function validatorOf(target: KnownTarget, timeLimit: number): Validator {
  return {
    key: formatEngineKey(target.engine.key),
    maxSecondarySize: Number.POSITIVE_INFINITY,
    leastMemory: LEAST_MEMORY,
    leastBodies: LEAST_BODIES,
    whyInvalid: (modules) => whyInvalid(target, modules, timeLimit),
  };
}

/**
 * Validates with the engine that runs the build, in place of the browsers' engines: these support at least the
 * features that split modules use.
 */
export const FOR_BROWSERS: Validator = {
  key: `browsers ${process.version}`,
  maxSecondarySize: MAX_BROWSER_SECONDARY,
  // A separate memory would cost browsers a second request.
  leastMemory: Number.POSITIVE_INFINITY,
  // A stubbed primary module needs native code, which browsers do not load.
  leastBodies: Number.POSITIVE_INFINITY,
  async whyInvalid(modules) {
    const invalid = modules.find((module) => !WebAssembly.validate(Uint8Array.from(module)));
    return invalid && WebAssembly.compile(Uint8Array.from(invalid)).then(() => undefined, messageOf);
  },
};

/** The highest number of secondary modules that a module can have: generated code reserves space for their manifest. */
export function secondariesLimit(
  { module }: Pick<LoadedModule, 'module'>,
  split: ResolvedSplit | undefined,
): number {
  if (!split) return 0;
  const code = module.sections.find(({ id }) => id === SectionId.Code);
  // One more holds the function bodies of a stubbed primary module.
  return (split.secondaries ?? maxSecondaries(code?.size ?? 0)) + 1;
}

/**
 * @param hot indices of the functions that a startup executes
 * @param validators every split module must be valid for each of them
 */
export async function splitForEngines(
  { file, wire }: LoadedModule,
  hot: ReadonlySet<number>,
  validators: readonly Validator[],
  { secondaries: count, minSaving }: ResolvedSplit,
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
    secondaries: count ?? 0,
    minSaving,
    leastMemory,
    leastBodies,
  });
  const cached = await cache.get(entry);
  if (cached) return { modules: decodeModules(cached) };

  const split = splitModule(
    wire,
    hot,
    // All targets have tail calls. Browsers without them load the original module.
    {
      secondaries: count,
      tailCalls: true,
      likelyShare: NEAR,
      minSeparateMemory: leastMemory,
      minStubbedBodies: leastBodies,
    },
    file,
  );
  if ('unsplitReason' in split) {
    const { unsplitReason, possible = false } = split;
    return { unsplitReason, possible };
  }
  const [primary, ...secondaries] = split.modules;
  if (!primary) return { unsplitReason: 'it has no functions to move' };
  const { memory, full, plan } = split;
  const modules: SplitModules = { primary, secondaries, memory, full, plan };
  const saving = wire.length - startupSize({ primary: full?.primary ?? primary, memory });
  if (saving < minSaving) {
    return { unsplitReason: `it would save no more than ${formatBytes(saving)} at startup`, possible: true };
  }
  const unsplitReason =
    whyNotReassembled(wire, modules) ??
    whyTooLarge(modules, validators) ??
    (await whyNotValid(modules, validators));
  if (unsplitReason !== undefined) return { unsplitReason };
  await cache.set(entry, encodeModules(modules));
  return { modules };
}

/** The runtime reassembles the original module when a program needs it, such as for another thread. */
function whyNotReassembled(wire: Uint8Array, modules: SplitModules): string | undefined {
  const { primary, secondaries, memory, full, plan } = modules;
  const pieces = planSources([primary, ...secondaries], memory);
  if (Buffer.compare(reassemble(pieces, plan), wire) !== 0) {
    return 'reassembling the split modules does not reproduce the module';
  }
  const bodies = secondaries.at(-1);
  if (full && bodies && Buffer.compare(reassemble([primary, bodies], full.plan), full.primary) !== 0) {
    return 'reassembling the stubbed primary module does not reproduce the full one';
  }
  return undefined;
}

function whyTooLarge({ secondaries }: SplitModules, validators: readonly Validator[]): string | undefined {
  const most = Math.min(...validators.map(({ maxSecondarySize }) => maxSecondarySize));
  const largest = Math.max(...secondaries.map(({ length }) => length));
  return largest > most
    ? `a secondary module would have ${formatBytes(largest)}, and browsers compile no more than ` +
        `${formatBytes(most)} synchronously`
    : undefined;
}

async function whyNotValid(
  { primary, secondaries, full }: SplitModules,
  validators: readonly Validator[],
): Promise<string | undefined> {
  const modules = [primary, ...secondaries, ...(full ? [full.primary] : [])];
  const reasons = await Promise.all(validators.map((validator) => validator.whyInvalid(modules)));
  const reason = reasons.find((each) => each !== undefined);
  return reason === undefined ? undefined : `the split modules are not valid: ${reason}`;
}

/** A count, then sizes, then bytes: u32, little-endian. An absent field is empty. */
function encodeModules({ primary, secondaries, memory, full, plan }: SplitModules): Uint8Array {
  const none = new Uint8Array();
  const optional = [memory ?? none, full?.primary ?? none, full?.plan ?? none];
  const chunks = [primary, plan, ...optional, ...secondaries];
  const head = Buffer.alloc(4 * (chunks.length + 1));
  for (const [index, value] of [chunks.length, ...chunks.map(({ length }) => length)].entries()) {
    head.writeUInt32LE(value, index * 4);
  }
  return Buffer.concat([head, ...chunks]);
}

function decodeModules(encoded: Uint8Array): SplitModules {
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
  const [primary = none, plan = none, memory = none, full = none, fullPlan = none, ...secondaries] = chunks;
  return {
    primary,
    plan,
    secondaries,
    memory: memory.length > 0 ? memory : undefined,
    full: full.length > 0 ? { primary: full, plan: fullPlan } : undefined,
  };
}
