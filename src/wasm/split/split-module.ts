/**
 * Splits a module as Binaryen's wasm-split does: into a primary, which a program loads at startup, and
 * secondaries. The runtime loads a secondary at the first call of a function in it.
 *
 * Every module of the split has the types, function imports and function section of the original module. So a
 * function has the same index and type in each of them. One module has its body. In the others the function is
 * a stub that calls through the added table `functions`, or the instruction `unreachable` if nothing there can
 * call it.
 *
 *  - The primary (write-primary.ts) has everything else: memories, tables, globals, tags, segments and custom
 *    sections. It exports all of this state besides the original exports. It exports the start function instead
 *    of running it, so that the runtime can set the hook first. If no program can observe a difference, data
 *    segments are merged (merge-data-segments.ts), or the primary imports its memory and has no data
 *    (separate-memory.ts).
 *  - A secondary (write-secondary.ts) imports all state from the primary, in the order of the indices. At its
 *    instantiation an element segment puts its functions into the table `functions`. The primary's own
 *    functions are there since the instantiation of the primary.
 *  - A stubbed primary (write-stubbed-primary.ts) also has stubs for hot functions, if native code has them.
 *    Startup does not need these bodies, but V8 copies and hashes them. They move to the last secondary.
 *  - A stub (write-code-section.ts) for a function of a secondary first reads the secondary's global `absent`.
 *    While it is 1, the stub calls slot 0 of the table `hook` with the numbers of the secondary and of the
 *    function. The runtime's function in that slot loads the secondary and sets the global to 0. If loading
 *    fails it throws, and the next call tries again.
 *
 * Some functions stay in the primary regardless of the profile. Functions that refer to segments stay because
 * segments belong to one instance. Functions with `ref.func` stay because JavaScript can distinguish the
 * functions of two instances.
 */
import { WasmPrecompileError } from '../../common/error.ts';
import { planSources } from '../../runtime/shared/reassembly-plan.ts';
import { SPLIT } from '../../runtime/shared/split-names.ts';
import { SplitAnalysis } from './analyse-split.ts';
import { PRIMARY } from './assign-functions.ts';
import { readInstructions } from './instructions.ts';
import { makeReassemblyPlan } from './make-reassembly-plan.ts';
import { type ModuleLayout, readModuleLayout } from './module-layout.ts';
import { writeMemorySegment } from './separate-memory.ts';
import type { SplitOptions } from './split-options.ts';
import { writePrimary } from './write-primary.ts';
import { writeSecondary } from './write-secondary.ts';
import { describeFullPrimary, type FullPrimary, writeStubbedPrimary } from './write-stubbed-primary.ts';

export interface SplitModule {
  /** The primary, then the secondaries in the order of their numbers. */
  modules: readonly Uint8Array[];
  /** The contents of the memory, if it is separate from the primary. The runtime makes the memory from it. */
  memory?: Uint8Array | undefined;
  /** If the primary is stubbed: the full primary, which native code is compiled from. */
  full?: FullPrimary | undefined;
  /** The reassembly plan of the original module (runtime/shared/reassembly-plan.ts). */
  plan: Uint8Array;
  /**
   * By declared function: the number of the module that has its body. The full primary counts, not the stubbed
   * one.
   */
  assignment: readonly number[];
  /** How many declared functions are in the primary only because they cannot move: they are not in `hot`. */
  boundFunctions: number;
}

/** Why a module is not split: a clause. `possible` if it could be split nevertheless. */
export interface Unsplit {
  unsplitReason: string;
  possible?: boolean;
}

/**
 * @param wire wire bytes of a valid module
 * @param hot indices of the functions that a program executes at startup
 * @param file the name of the file, for messages
 * @returns the modules of the split, or the reason why there are none
 * @throws WasmPrecompileError `INVALID_WASM` for a damaged module
 */
export function splitModule(
  wire: Uint8Array,
  hot: ReadonlySet<number>,
  options: SplitOptions,
  file?: string,
): SplitModule | Unsplit {
  try {
    const layout = readModuleLayout(wire, file);
    const unsplitReason = findObstacle(layout);
    if (unsplitReason !== undefined) return { unsplitReason };
    const instructions = layout.bodies.map((body) => readInstructions(wire, body, file));
    return writeModules(new SplitAnalysis(wire, layout, instructions, hot, options));
  } catch (error) {
    if (error instanceof WasmPrecompileError && error.code === 'UNSUPPORTED_WASM') {
      return { unsplitReason: error.message };
    }
    throw error;
  }
}

function findObstacle({ sections, sharedMemory, importModules, exports }: ModuleLayout): string | undefined {
  // Each thread would have to load the secondaries.
  if (sharedMemory) return 'its memory is shared between threads';
  // It is compiled with options that the runtime does not pass on for secondaries.
  if ([...importModules].some((name) => name.startsWith('wasm:'))) return 'it uses JS string builtins';
  if (sections.some(({ name }) => /^dylink(\.0)?$/.test(name))) return 'it is linked at run time';
  if (importModules.has(SPLIT) || exports.some(({ name }) => name.startsWith(SPLIT))) {
    return `it has imports or exports named ${SPLIT}`;
  }
  return undefined;
}

function writeModules(analysis: SplitAnalysis): SplitModule | Unsplit {
  const { wire, moduleCount, mergedData, isMemorySeparate, isStubbed, assignment, boundFunctions } = analysis;
  if (moduleCount === 1) return { unsplitReason: 'there is no function to move', possible: true };
  const primary = isStubbed ? writeStubbedPrimary(analysis) : writePrimary(analysis);
  const writers = [primary];
  for (let module = PRIMARY + 1; module < moduleCount; module++)
    writers.push(writeSecondary(analysis, module));
  const memory = mergedData && isMemorySeparate ? writeMemorySegment(wire, mergedData) : undefined;
  const copies = planSources(writers, memory).map((writer) => writer.copies);
  return {
    modules: writers.map(({ bytes }) => bytes),
    memory: memory?.bytes,
    full: isStubbed ? describeFullPrimary(analysis, primary, writers.at(-1)) : undefined,
    plan: makeReassemblyPlan(wire, copies),
    assignment,
    boundFunctions,
  };
}
