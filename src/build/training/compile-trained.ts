/** Compiles a module that a training run has compiled: its bytes come from the run, not from a file. */
import { packArtifact } from '../../artifact/pack.ts';
import { fileNameOf } from '../../common/file-name.ts';
import { matchProfile } from '../../profile/match.ts';
import type { Profile } from '../../profile/startup-profile.ts';
import type { TrainedModule } from '../../train/trained-modules.ts';
import { decideForNode } from '../compile/decide.ts';
import type { Pipeline } from '../compile/pipeline.ts';
import { type SourceModule, sourceOf } from '../compile/read-source.ts';

export interface CompileTrainedSetup {
  pipeline: Pipeline;
  /** Bytes below which a module is not precompiled. */
  threshold: number;
}

/** An artifact, trimmed to what the run executed. */
export interface CompiledModule extends ReturnType<typeof packArtifact> {
  source: SourceModule;
  contents: Awaited<ReturnType<Pipeline['compile']>>;
  /** A name for the artifact's file. */
  fileName: string;
}

/**
 * @param profile of this module; without one, native code holds all functions
 * @returns the artifact, or why the module is not precompiled
 */
export async function compileTrained(
  { name, wire, runs }: TrainedModule,
  profile: Profile | undefined,
  { pipeline, threshold }: CompileTrainedSetup,
): Promise<CompiledModule | { reason: string }> {
  const source = sourceOf(wire, name);
  const decision = decideForNode(source, threshold);
  if (decision.kind === 'startup') return { reason: decision.reason };
  const untrained = await pipeline.compile(source);
  if (untrained.native.length === 0) return { reason: 'no native code for any target' };
  const contents = profile
    ? await pipeline.trim(source, untrained, matchProfile(profile, wire).functions, runs, true)
    : untrained;
  const packed = packArtifact(contents);
  const fileName = `${fileNameOf(name)}-${packed.manifest.buildId.slice(0, 8)}.elf`;
  return { source, contents, fileName, ...packed };
}
