/** Profiles on the disk. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { writeAtomic } from '../common/write-atomic.ts';
import { formatProfiles, parseProfiles, PROFILE_EXTENSION } from './format.ts';
import { mergeProfiles } from './merge.ts';
import type { Profile } from './profile.ts';

const RECORD = 'Record one with `wasm-precompile train`.';

/**
 * Reads the profiles of a file, or of all `*.wasm-profile` files that are directly in a folder.
 *
 * @param skip told of each file of a folder that cannot be read or is damaged, as long as others are not. Without it,
 *   one such file fails the folder
 * @returns at least one; one for each module, merged where several files have the same
 * @throws WasmPrecompileError `UNREADABLE_FILE` where there is no such file or folder, or it cannot be read;
 *   `INVALID_PROFILE` where a file is damaged, or no profile is there
 */
export async function readProfiles(
  path: string,
  skip?: (error: WasmPrecompileError) => void,
): Promise<Profile[]> {
  const files = (await isFolder(path)) ? await listFiles(path) : [path];
  if (files.length === 0) {
    throw new WasmPrecompileError(
      'INVALID_PROFILE',
      `${path}: expected startup profiles (*${PROFILE_EXTENSION}) in this folder, found none. ${RECORD}`,
    );
  }
  const merged = mergeProfiles(await readFiles(files, skip));
  if (merged.length === 0) {
    throw new WasmPrecompileError(
      'INVALID_PROFILE',
      `${path}: expected the startup profile of at least one module, found none. ${RECORD}`,
    );
  }
  return merged;
}

async function readFiles(
  files: readonly string[],
  skip: ((error: WasmPrecompileError) => void) | undefined,
): Promise<Profile[]> {
  const damaged: WasmPrecompileError[] = [];
  const profiles = await Promise.all(
    files.map(async (file) => {
      try {
        return await readProfileFile(file);
      } catch (error) {
        if (!(error instanceof WasmPrecompileError)) throw error;
        damaged.push(error);
        return [];
      }
    }),
  );
  const [first] = damaged;
  if (first && (!skip || damaged.length === files.length)) throw first;
  for (const error of damaged) skip?.(error);
  return profiles.flat();
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function listFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => name.endsWith(PROFILE_EXTENSION))
      .toSorted()
      .map((name) => join(folder, name));
  } catch (error) {
    throw unreadable(folder, error);
  }
}

async function readProfileFile(file: string): Promise<Profile[]> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw unreadable(file, error);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new WasmPrecompileError(
      'INVALID_PROFILE',
      `${file}: expected a startup profile, which is text in UTF-8, found other bytes. Record it again with \`wasm-precompile train\`, or restore the file.`,
      { cause: error },
    );
  }
  return parseProfiles(text, file);
}

function unreadable(path: string, error: unknown): WasmPrecompileError {
  return new WasmPrecompileError(
    'UNREADABLE_FILE',
    isMissing(error)
      ? `${path}: expected a startup profile or a folder of them, found nothing. ${RECORD}`
      : `${path}: cannot be read: ${messageOf(error)}`,
    { cause: error },
  );
}

export interface WriteOptions {
  /** Add to what was recorded before. */
  merge?: boolean;
}

/**
 * Writes profiles into a folder, each into a file with the name of its module: `sql-wasm.wasm-profile`. Where two
 * modules have one name, one gets `sql-wasm-<first 8 digits of its SHA-256>.wasm-profile`; a module keeps the file that
 * it has.
 *
 * Files change only as the program does: which functions an engine optimises is chance, so a function that the file
 * already has of the same module stays `hot` or `run` as it is there. A file that would say the same is not touched.
 *
 * With `merge` nothing is lost that was there: functions of the same module are added, and a module that has the name
 * of another one gets a file of its own. Without it the files are replaced. No file is deleted.
 *
 * @returns the paths of the files, in the order of the modules' names
 * @throws WasmPrecompileError `UNWRITABLE_FILE`; `UNREADABLE_FILE`, and with `merge` `INVALID_PROFILE` for a damaged
 *   file that is there
 */
export async function writeProfiles(
  folder: string,
  profiles: Iterable<Profile>,
  { merge = false }: WriteOptions = {},
): Promise<string[]> {
  const recorded = mergeProfiles(profiles);
  const present = await readPresent(
    recorded.flatMap((profile) => candidates(folder, profile)),
    merge,
  );
  const plan = [...assignFiles(folder, recorded, present, merge)];
  await Promise.all(
    plan.map(async ([file, contents]) => {
      const there = present.get(file) ?? [];
      const text = formatProfiles(
        merge ? [...there, ...contents] : contents.map((profile) => keepTiers(profile, there)),
      );
      if (text !== formatProfiles(there)) await write(file, text);
    }),
  );
  return plan.map(([file]) => file);
}

/** Files, and which of the profiles go into each: several only where a file has several that are added to. */
function assignFiles(
  folder: string,
  profiles: readonly Profile[],
  present: ReadonlyMap<string, readonly Profile[]>,
  merge: boolean,
): Map<string, Profile[]> {
  const owned = new Map<Profile, string>();
  // Some file systems do not distinguish upper and lower case.
  const taken = new Set<string>();
  const own = (profile: Profile, file: string) => {
    owned.set(profile, file);
    taken.add(file.toLowerCase());
  };
  for (const profile of profiles) {
    const file = candidates(folder, profile).find((path) =>
      present.get(path)?.some(({ sha256 }) => sha256 === profile.sha256),
    );
    if (file !== undefined && (merge || !taken.has(file.toLowerCase()))) own(profile, file);
  }
  for (const profile of profiles) {
    if (owned.has(profile)) continue;
    const [plain, other] = candidates(folder, profile);
    const free = !taken.has(plain.toLowerCase()) && !(merge && (present.get(plain)?.length ?? 0) > 0);
    own(profile, free ? plain : other);
  }
  const files = new Map<string, Profile[]>();
  for (const profile of profiles) {
    const file = owned.get(profile);
    if (file !== undefined) files.set(file, [...(files.get(file) ?? []), profile]);
  }
  return files;
}

/** Leaves the functions of the same module as optimised as the file has them. */
function keepTiers(profile: Profile, there: readonly Profile[]): Profile {
  const before = there.find(({ sha256 }) => sha256 === profile.sha256);
  const tiers = new Map(before?.executed.map(({ index, optimised }) => [index, optimised]));
  const executed = profile.executed.map((entry) => ({
    ...entry,
    optimised: tiers.get(entry.index) ?? entry.optimised,
  }));
  return { ...profile, executed };
}

/** The names that the file of a profile may have: the second where another module has the first. */
function candidates(folder: string, { name, sha256 }: Profile): [plain: string, own: string] {
  // What some file system does not allow in names, and what would lead elsewhere.
  const safe = name.replaceAll(/[\p{Cc}<>:"/\\|?*]/gu, '_') || '_';
  const path = (stem: string) => join(folder, `${stem}${PROFILE_EXTENSION}`);
  return [path(safe), path(`${safe}-${sha256.slice(0, 8)}`)];
}

/** What is in those of the files that exist. */
async function readPresent(files: readonly string[], strict: boolean): Promise<Map<string, Profile[]>> {
  const entries = await Promise.all(
    [...new Set(files)].map(async (file): Promise<[string, Profile[]][]> => {
      try {
        return [[file, await readProfileFile(file)]];
      } catch (error) {
        if (!(error instanceof WasmPrecompileError)) throw error;
        if (error.code === 'UNREADABLE_FILE' && isMissing(error.cause)) return [];
        // What is replaced may be damaged: recording again is what helps against that.
        if (error.code === 'INVALID_PROFILE' && !strict) return [[file, []]];
        throw error;
      }
    }),
  );
  return new Map(entries.flat());
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/**
 * Writes all profiles into one file, in place of what was there.
 *
 * @returns its path
 * @throws WasmPrecompileError `UNWRITABLE_FILE`
 */
export async function writeProfileFile(file: string, profiles: Iterable<Profile>): Promise<string> {
  await write(file, formatProfiles(profiles));
  return file;
}

/** @throws WasmPrecompileError `UNWRITABLE_FILE` */
async function write(file: string, text: string): Promise<void> {
  try {
    await writeAtomic(file, new TextEncoder().encode(text));
  } catch (error) {
    throw new WasmPrecompileError('UNWRITABLE_FILE', `${file}: cannot be written: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
