/** Finds the artifacts in a folder, and describes their contents. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { glob } from 'tinyglobby';
import type { Artifact, NativeCode } from '../artifact/contents.ts';
import { largestFunctions } from '../artifact/largest.ts';
import { ELFOSABI_ARTIFACT } from '../artifact/identification.ts';
import { startupSize } from '../artifact/startup-size.ts';
import { unpackArtifact } from '../artifact/unpack.ts';
import { EI_OSABI, ELFMAG } from '../elf/constants.ts';
import { messageOf } from '../common/error.ts';
import type { ArtifactReport, NativeReport, UnreadableFile } from './report-data.ts';

/** Number of functions listed in the report. The page draws no more. */
const LARGEST_FUNCTIONS = 400;

export interface FoundArtifacts {
  /** Ordered by file name. */
  artifacts: ArtifactReport[];
  unreadable: UnreadableFile[];
}

/**
 * Reads every artifact in a folder and its subfolders. Other ELF files are skipped. Truncated and damaged artifacts are
 * listed with the reason.
 *
 * @param select returns whether the report contains an artifact, by its build id; default: all
 */
export async function findArtifacts(
  folder: string,
  select: (buildId: string) => boolean = () => true,
): Promise<FoundArtifacts> {
  const files = await glob('**/*.elf', { cwd: folder, dot: true, expandDirectories: false });
  const artifacts: ArtifactReport[] = [];
  const unreadable: UnreadableFile[] = [];
  for (const file of files.toSorted()) {
    try {
      // Sequential, because native code may have hundreds of MiB.
      // oxlint-disable-next-line no-await-in-loop
      const bytes = await readFile(join(folder, file));
      if (isOtherElf(bytes)) continue;
      const artifact = unpackArtifact(bytes, file);
      if (select(artifact.manifest.buildId)) artifacts.push(describe(file, artifact));
    } catch (error) {
      unreadable.push({ file, reason: messageOf(error) });
    }
  }
  return { artifacts, unreadable };
}

/** Returns whether it is an ELF file but no artifact: firmware, a core dump … */
function isOtherElf(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, ELFMAG.length) === ELFMAG && bytes[EI_OSABI] !== ELFOSABI_ARTIFACT;
}

function describe(
  file: string,
  { name, manifest, wire, split, native, functionNames }: Artifact,
): ArtifactReport {
  return {
    file,
    name,
    size: manifest.size,
    wireSize: wire.length,
    ...(split && {
      split: {
        startupSize: startupSize(split),
        secondarySizes: split.secondaries.map((secondary) => secondary.wire.length),
      },
    }),
    native: native.map((code) => describeNative(code, functionNames)),
  };
}

function describeNative(code: NativeCode, names: Artifact['functionNames']): NativeReport {
  return {
    engine: code.engine,
    size: code.bytes.length,
    ...code.statistics,
    largest: largestFunctions(code, names, LARGEST_FUNCTIONS).map(({ name, size }) => [name, size]),
  };
}
