/** What the artifacts in a folder hold. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { glob } from 'tinyglobby';
import type { Artifact, NativeCode } from '../artifact/contents.ts';
import { largestFunctions } from '../artifact/largest.ts';
import { ELFOSABI_ARTIFACT } from '../artifact/pack.ts';
import { startupSize } from '../artifact/startup-size.ts';
import { unpackArtifact } from '../artifact/unpack.ts';
import { EI_OSABI, ELFMAG } from '../elf/constants.ts';
import { messageOf } from '../common/error.ts';
import type { ArtifactReport, NativeReport, UnreadableFile } from './data.ts';

/** Functions of which the report has the names: the page draws no more. */
const LARGEST_FUNCTIONS = 400;

export interface FoundArtifacts {
  /** In the order of file names. */
  artifacts: ArtifactReport[];
  unreadable: UnreadableFile[];
}

/**
 * Reads every artifact in a folder and below. ELF files of others do not count; what is cut off or changed does, with the
 * reason why it cannot be read.
 *
 * @param select whether an artifact is to be in the report, by its build id; default: all are
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
      // One after another: each may have native code of hundreds of megabytes.
      // oxlint-disable-next-line no-await-in-loop
      const bytes = await readFile(join(folder, file));
      if (isForeign(bytes)) continue;
      const artifact = unpackArtifact(bytes, file);
      if (select(artifact.manifest.buildId)) artifacts.push(describe(file, artifact));
    } catch (error) {
      unreadable.push({ file, reason: messageOf(error) });
    }
  }
  return { artifacts, unreadable };
}

/** An ELF file of another system: firmware, a core dump … */
function isForeign(bytes: Buffer): boolean {
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
      parts: [startupSize(split), ...split.secondaries.map((part) => part.wire.length)],
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
