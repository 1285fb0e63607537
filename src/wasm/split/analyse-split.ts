/** Decides which module has which function, what calls what across modules, and what happens to the data. */
import { assignFunctions, PRIMARY } from './assign-functions.ts';
import type { Instructions } from './instructions.ts';
import { findLikelyFunctions } from './likely-functions.ts';
import { type MergedData, mergeDataSegments } from './merge-data-segments.ts';
import type { ModuleLayout } from './module-layout.ts';
import { canSeparateMemory } from './separate-memory.ts';
import type { SplitOptions } from './split-options.ts';
import { findStubbedFunctions } from './stubbed-functions.ts';

/** Modules are numbered: 0 is the primary, secondaries follow. Functions are meant by their indices in the module. */
export class SplitAnalysis {
  /** The original module. */
  readonly wire: Uint8Array;
  readonly layout: ModuleLayout;
  /** Whether stubs use tail calls. */
  readonly tailCalls: boolean;
  /**
   * By declared function: the number of the module that has its body. The full primary counts, not the stubbed
   * one.
   */
  readonly assignment: readonly number[];
  /** The primary and all secondaries. */
  readonly moduleCount: number;
  /** Slots in the table `functions` of functions that another module calls. Those of one module are consecutive. */
  readonly slots: ReadonlyMap<number, number>;
  /** For each module, the functions of other modules that it can call. */
  readonly called: readonly ReadonlySet<number>[];
  /** How many functions that are not hot are in the primary because they cannot move. */
  readonly boundFunctions: number;
  /** Slots of the functions whose bodies a stubbed primary lacks. The last secondary puts them there. */
  readonly stubbedSlots: ReadonlyMap<number, number>;
  /** The merged data segments; undefined if the data section stays as it is. */
  readonly mergedData: MergedData | undefined;
  readonly isMemorySeparate: boolean;

  constructor(
    wire: Uint8Array,
    layout: ModuleLayout,
    instructions: readonly Instructions[],
    hot: ReadonlySet<number>,
    {
      secondaries,
      tailCalls,
      likelyShare = 0,
      minSeparateMemory = Infinity,
      minStubbedBodies = Infinity,
    }: SplitOptions,
  ) {
    this.wire = wire;
    this.layout = layout;
    this.tailCalls = tailCalls || instructions.some((each) => each.hasTailCalls);

    const imported = layout.functionImports.length;
    const sizes = layout.bodies.map(({ size }) => size);
    const calls = instructions.map((each) => [...each.calls].map((index) => index - imported));
    const isBound = instructions.map(({ boundBy }) => boundBy !== undefined);
    const isHot = instructions.map((_, i) => hot.has(imported + i));
    const likely = findLikelyFunctions(sizes, calls, isHot, likelyShare);
    const stays = instructions.map((_, i) => isBound[i] === true || isHot[i] === true || likely.has(i));
    this.boundFunctions = isBound.filter((bound, i) => bound && !isHot[i]).length;
    this.assignment = assignFunctions(sizes, stays, secondaries);
    const assignedModules = Math.max(PRIMARY, ...new Set(this.assignment)) + 1;
    const minBodies = assignedModules === 1 ? Infinity : minStubbedBodies;
    const stubbed = findStubbedFunctions({ sizes, calls, isBound, isHot, stays }, minBodies).map(
      (i) => imported + i,
    );
    this.moduleCount = stubbed.length > 0 ? assignedModules + 1 : assignedModules;

    this.called = this.#findCalled(instructions, new Set(stubbed));
    const crossing = new Set(this.called.flatMap((called) => [...called]));
    const byModule = [...crossing].toSorted((a, b) => this.moduleOf(a) - this.moduleOf(b) || a - b);
    this.slots = new Map(byModule.map((index, slot) => [index, slot]));
    this.stubbedSlots = new Map(stubbed.map((index, i) => [index, byModule.length + i]));

    const data = mergeDataSegments(wire, layout, instructions);
    this.isMemorySeparate = canSeparateMemory(data, layout, minSeparateMemory);
    this.mergedData = data && (this.isMemorySeparate || data.runs.length < data.segments) ? data : undefined;
  }

  /** How many imported functions there are: the index of the first declared function. */
  get importedFunctions(): number {
    return this.layout.functionImports.length;
  }

  /** The size of the table `functions`. */
  get slotCount(): number {
    return this.slots.size + this.stubbedSlots.size;
  }

  /** Whether the primary is stubbed. */
  get isStubbed(): boolean {
    return this.stubbedSlots.size > 0;
  }

  /** The secondary with the bodies that a stubbed primary lacks. */
  get stubbedModule(): number | undefined {
    return this.isStubbed ? this.moduleCount - 1 : undefined;
  }

  /** The number of the module that has the body of a declared function. */
  moduleOf(index: number): number {
    return this.assignment[index - this.importedFunctions] ?? PRIMARY;
  }

  /** Whether a module has the body of a function. The number of the primary stands for the full primary. */
  hasBody(module: number, index: number): boolean {
    return module === this.stubbedModule ? this.stubbedSlots.has(index) : this.moduleOf(index) === module;
  }

  #findCalled(instructions: readonly Instructions[], stubbed: ReadonlySet<number>): Set<number>[] {
    const { referenced, start } = this.layout;
    const called = Array.from({ length: this.moduleCount }, () => new Set<number>());
    const add = (module: number, index: number) => {
      if (index >= this.importedFunctions && this.moduleOf(index) !== module) called[module]?.add(index);
    };
    for (const [i, { calls }] of instructions.entries()) {
      const module = this.assignment[i] ?? PRIMARY;
      for (const index of calls) add(module, index);
      if (!stubbed.has(this.importedFunctions + i)) continue;
      // The last secondary has its body, too. There it calls the other stubbed functions directly.
      for (const index of calls) if (!stubbed.has(index)) add(this.moduleCount - 1, index);
    }
    for (const index of referenced) add(PRIMARY, index);
    if (start !== undefined) add(PRIMARY, start);
    return called;
  }
}
