/** Reads and writes files with profiles. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { writeAtomic } from '../common/write-atomic.ts';
import { formatProfiles, parseProfiles, PROFILE_EXTENSION } from './profile-text.ts';
import { mergeProfiles } from './merge.ts';
import type { Profile } from './startup-profile.ts';

const RECORD = 'Record one with `wasm-precompile train`.';

/**
 * Reads the profiles of a file, or of all `*.wasm-profile` files that are directly in a folder.
 *
 * @param skip called for each file of a folder that is unreadable or damaged, if another file is not. Without
 *   `skip`, one such file is an error
 * @returns at least one profile, one for each module: profiles of one module in several files are merged
 * @throws WasmPrecompileError `UNREADABLE_FILE` if the file or folder is missing or cannot be read;
 *   `INVALID_PROFILE` if a file is damaged, or there is no profile
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
      `${file}: expected a startup profile in UTF-8, found bytes that are not UTF-8. Record it again with \`wasm-precompile train\`, or restore the file.`,
      { cause: error },
    );
  }
  return parseProfiles(text, file);
}

function unreadable(path: string, error: unknown): WasmPrecompileError {
  return new WasmPrecompileError(
    'UNREADABLE_FILE',
    isMissing(error)
      ? `${path}: expected a startup profile or a folder with startup profiles, found nothing. ${RECORD}`
      : `${path}: cannot be read: ${messageOf(error)}`,
    { cause: error },
  );
}

export interface WriteOptions {
  /** Merge into existing profiles. @default false */
  merge?: boolean;
}

/**
 * Writes profiles into a folder, each into a file with the name of its module: `sql-wasm.wasm-profile`. If two
 * modules have one name, the second file is `sql-wasm-<first 8 digits of its SHA-256>.wasm-profile`. A module
 * keeps its existing file.
 *
 * A file changes only if the program does. Which functions an engine optimises varies from run to run. So
 * functions keep the tier (`hot` or `run`) in an existing file of the same module. A file with equal contents
 * is not written.
 *
 * With `merge` existing files lose nothing: functions of the same module are added, and another module with the
 * same name gets another file. Without `merge` files are replaced. No file is deleted.
 *
 * @returns the paths of the files, in the order of the modules' names
 * @throws WasmPrecompileError `UNWRITABLE_FILE`; `UNREADABLE_FILE`; with `merge` `INVALID_PROFILE` for an
 *   existing file that is damaged
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
      const existing = present.get(file) ?? [];
      const text = formatProfiles(
        merge ? [...existing, ...contents] : contents.map((profile) => keepTiers(profile, existing)),
      );
      if (text !== formatProfiles(existing)) await write(file, text);
    }),
  );
  return plan.map(([file]) => file);
}

/** Returns the profiles for each file. A file has several only if it already had several that are merged. */
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
    const [short, hashed] = candidates(folder, profile);
    const free = !taken.has(short.toLowerCase()) && !(merge && (present.get(short)?.length ?? 0) > 0);
    own(profile, free ? short : hashed);
  }
  const files = new Map<string, Profile[]>();
  for (const profile of profiles) {
    const file = owned.get(profile);
    if (file !== undefined) files.set(file, [...(files.get(file) ?? []), profile]);
  }
  return files;
}

/** Replaces the tiers of functions with those of the same module in an existing file. */
function keepTiers(profile: Profile, existing: readonly Profile[]): Profile {
  const before = existing.find(({ sha256 }) => sha256 === profile.sha256);
  const tiers = new Map(before?.executed.map(({ index, optimised }) => [index, optimised]));
  const executed = profile.executed.map((entry) => ({
    ...entry,
    optimised: tiers.get(entry.index) ?? entry.optimised,
  }));
  return { ...profile, executed };
}

/** Returns the possible names of a profile's file. The second is for a module whose first name is taken. */
function candidates(folder: string, { name, sha256 }: Profile): [short: string, hashed: string] {
  // Replaces characters that a file system forbids in names, and those that separate folders.
  const safe = name.replaceAll(/[\p{Cc}<>:"/\\|?*]/gu, '_') || '_';
  const path = (stem: string) => join(folder, `${stem}${PROFILE_EXTENSION}`);
  return [path(safe), path(`${safe}-${sha256.slice(0, 8)}`)];
}

/** Returns the profiles in those files that exist. */
async function readPresent(files: readonly string[], strict: boolean): Promise<Map<string, Profile[]>> {
  const entries = await Promise.all(
    [...new Set(files)].map(async (file): Promise<[string, Profile[]][]> => {
      try {
        return [[file, await readProfileFile(file)]];
      } catch (error) {
        if (!(error instanceof WasmPrecompileError)) throw error;
        if (error.code === 'UNREADABLE_FILE' && isMissing(error.cause)) return [];
        // A file that is replaced may be damaged: users record again to repair it.
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
 * Writes all profiles into one file and replaces its contents.
 *
 * @returns the path of the file
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
