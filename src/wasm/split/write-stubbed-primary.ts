/**
 * Writes the stubbed primary: a primary without the bodies of hot functions that native code has. V8 copies and
 * hashes the bodies at startup but never reads them. The last secondary has them; the stubbed primary has
 * stubs.
 *
 * V8 calls the stubs when it drops native code, for example when a debugger is attached. It also calls a stub
 * that it has inlined into a function that it optimises itself (V8 14, through a table). Native code is
 * compiled from the full primary, which differs from the stubbed one in these bodies only.
 */
import { SPLIT } from '../../runtime/shared/split-names.ts';
import { hashModule } from '../binary/hash.ts';
import { SectionId } from '../binary/sections.ts';
import type { SplitAnalysis } from './analyse-split.ts';
import { composeCopies, makeReassemblyPlan } from './make-reassembly-plan.ts';
import type { ModuleWriter } from './module-writer.ts';
import { writePrimary } from './write-primary.ts';

/** The full primary, and the plan that reassembles it from the stubbed primary and the last secondary. */
export interface FullPrimary {
  primary: Uint8Array;
  plan: Uint8Array;
}

/**
 * A custom section with the hash of the original module (`hashModule`). V8 shares compiled modules within a
 * process if their bytes are equal, and the stubbed primaries of two modules may have no other difference.
 */
const IDENTITY_SECTION = `${SPLIT}:module`;

export function writeStubbedPrimary(analysis: SplitAnalysis): ModuleWriter {
  const { wire, layout } = analysis;
  const writer = writePrimary(analysis, true);
  const identity = hashModule(wire, layout);
  return writer.u8(SectionId.Custom).sized((content) => content.name(IDENTITY_SECTION).name(identity));
}

/**
 * @param stubbed the stubbed primary
 * @param last the last secondary
 */
export function describeFullPrimary(
  analysis: SplitAnalysis,
  stubbed: ModuleWriter,
  last: ModuleWriter | undefined,
): FullPrimary {
  const full = writePrimary(analysis);
  const copies = [stubbed, last].map((writer) => composeCopies(full.copies, writer?.copies ?? []));
  return { primary: full.bytes, plan: makeReassemblyPlan(full.bytes, copies) };
}
