/** `wasm-precompile profile`: shows startup profiles and what they cover of a module; merges and compares them. */
import { Command, Option } from 'commander';
import { moduleName, readBytes } from '../../build/compile/read-source.ts';
import { WasmPrecompileError } from '../../common/error.ts';
import { formatBytes } from '../../common/format-bytes.ts';
import { readProfiles, writeProfileFile, writeProfiles } from '../../profile/profile-files.ts';
import { PROFILE_EXTENSION } from '../../profile/profile-text.ts';
import { findProfile, isForeign, type ProfileMatch } from '../../profile/match.ts';
import { diffProfiles, mergeProfiles } from '../../profile/merge.ts';
import type { Profile, ProfiledFunction } from '../../profile/startup-profile.ts';
import { readFunctionBodies } from '../../wasm/binary/code.ts';
import { readModule } from '../../wasm/binary/module.ts';
import { formatTable } from '../format-table.ts';
import { printable } from '../describe-interface.ts';

interface ProfileFlags {
  module: string[];
  functions?: true;
  merge?: true;
  diff?: true;
  output?: string;
  json?: true;
}

export function profileCommand(): Command {
  return new Command('profile')
    .description('show, merge or compare startup profiles')
    .argument('<paths...>', `startup profiles (*${PROFILE_EXTENSION}), or folders of them`)
    .addOption(
      new Option('-m, --module <wasm>', 'show what the profiles cover of this module; may be repeated')
        .default([], 'none')
        .argParser((file: string, files: string[]) => [...files, file])
        .conflicts(['merge', 'diff']),
    )
    .addOption(new Option('-f, --functions', 'list the functions').conflicts(['merge', 'diff']))
    .addOption(new Option('--merge', 'write profiles with the functions of all of them').conflicts('diff'))
    .addOption(new Option('--diff', 'compare two: functions that were added and removed').conflicts('output'))
    .option(
      '-o, --output <path>',
      `for --merge: a file (*${PROFILE_EXTENSION}), or a folder, whose profiles are merged as well`,
    )
    .option('--json', 'print as JSON')
    .action(profile);
}

async function profile(paths: string[], flags: ProfileFlags): Promise<void> {
  if (flags.merge) return merge(paths, flags);
  if (flags.output !== undefined) throw misuse('--output requires --merge: give both, or neither.');
  return flags.diff ? diff(paths, flags) : show(paths, flags);
}

function misuse(message: string): WasmPrecompileError {
  return new WasmPrecompileError('INVALID_OPTIONS', message);
}

async function readAll(paths: string[]): Promise<Profile[]> {
  const profiles = await Promise.all(paths.map((path) => readProfiles(path)));
  return mergeProfiles(profiles.flat());
}

function print(flags: ProfileFlags, json: unknown, text: string): void {
  console.log(flags.json ? JSON.stringify(json, null, 2) : text);
}

/** The functions of a module that a profile covers. */
interface Coverage extends Omit<ProfileMatch, 'functions'> {
  file: string;
  foreign: boolean;
  /** Bytes of the bodies of the matched functions. */
  bodySize: number;
  /** Bytes of the bodies of all functions. */
  codeSize: number;
}

async function show(paths: string[], flags: ProfileFlags): Promise<void> {
  const profiles = await readAll(paths);
  const coverages = new Map<Profile, Coverage[]>();
  for (const file of flags.module) {
    const [found, coverage] = cover(profiles, file, await readBytes(file), paths);
    coverages.set(found, [...(coverages.get(found) ?? []), coverage]);
  }
  const summaries = profiles.map((entry) => ({
    ...summarize(entry),
    ...(flags.module.length > 0 && { modules: coverages.get(entry) ?? [] }),
    ...(flags.functions && { list: entry.executed }),
  }));
  const text = summaries.map((summary) =>
    [
      describe(summary),
      ...(summary.modules ?? []).map(describeCoverage),
      ...(summary.list && summary.list.length > 0 ? [listFunctions(summary.list)] : []),
    ].join('\n'),
  );
  print(flags, summaries, text.join('\n'));
}

/** @throws WasmPrecompileError if the module is damaged, or no profile has its name */
function cover(
  profiles: readonly Profile[],
  file: string,
  wire: Uint8Array,
  paths: readonly string[],
): [Profile, Coverage] {
  const module = readModule(wire, file);
  const bodies = readFunctionBodies(wire, module, file);
  const name = moduleName(file);
  const found = findProfile(profiles, name, wire);
  if (!found) {
    throw new WasmPrecompileError(
      'INVALID_PROFILE',
      `${file}: expected a startup profile of this module, or of another build with the name ${printable(name)}, in ${paths.join(', ')}; ` +
        `found profiles of ${profiles.map((entry) => printable(entry.name)).join(', ')}. Record one with \`wasm-precompile train\`.`,
    );
  }
  const { functions, ...match } = found.match;
  const sizeOf = (index: number) => bodies[index - module.importedFunctions]?.size ?? 0;
  return [
    found.profile,
    {
      file,
      ...match,
      foreign: isForeign(found.match),
      bodySize: [...functions.keys()].reduce((sum, index) => sum + sizeOf(index), 0),
      codeSize: bodies.reduce((sum, { size }) => sum + size, 0),
    },
  ];
}

function summarize({ name, sha256, functions, executed }: Profile) {
  const optimised = executed.filter((entry) => entry.optimised).length;
  return { name, sha256, functions, executed: executed.length, optimised };
}

function describe({ name, sha256, functions, executed, optimised }: ReturnType<typeof summarize>): string {
  return `${printable(name)}  ${executed} of ${functions} functions, ${optimised} hot\n  SHA-256 ${sha256}`;
}

function describeCoverage(coverage: Coverage): string {
  const { file, matched, total, bodySize, codeSize } = coverage;
  const found = `${matched} of ${total} functions found`;
  return `  ${file}: ${kindOf(coverage)}, ${found}, ${formatBytes(bodySize)} of ${formatBytes(codeSize)} of function bodies`;
}

function kindOf({ exact, wrong, foreign, byName, byBody }: Coverage): string {
  if (exact) return 'the module that was recorded';
  const how = `${byName} by name, ${byBody} by body`;
  if (wrong > 0)
    return `the module that was recorded, but a damaged profile (wrong functions: ${wrong}; of these found: ${how})`;
  return foreign ? 'a different module' : `another build (${how})`;
}

function label({ index, name }: ProfiledFunction): string {
  return name === undefined ? `wasm-function[${index}]` : printable(name);
}

function listFunctions(list: readonly ProfiledFunction[]): string {
  const rows = list.map((entry) => [entry.index, entry.optimised ? 'hot' : 'run', label(entry)]);
  return formatTable(rows).replace(/^/gm, '  ');
}

async function merge(paths: string[], flags: ProfileFlags): Promise<void> {
  const { output } = flags;
  if (output === undefined) throw misuse(`--merge needs --output <path>.`);
  const profiles = await readAll(paths);
  const files = output.endsWith(PROFILE_EXTENSION)
    ? [await writeProfileFile(output, profiles)]
    : await writeProfiles(output, profiles, { merge: true });
  const summaries = profiles.map(summarize);
  print(flags, { files, profiles: summaries }, [...summaries.map(describe), ...files].join('\n'));
}

/** One module in two sets of profiles; `null` if a set has no profile of it. */
interface Change {
  name: string;
  /** SHA-256 in the first set. */
  before: string | null;
  /** SHA-256 in the second set. */
  after: string | null;
  added: ProfiledFunction[];
  removed: ProfiledFunction[];
  /** Functions executed in both. */
  both: number;
}

async function diff(paths: string[], flags: ProfileFlags): Promise<void> {
  const [first, second, ...rest] = paths;
  if (first === undefined || second === undefined || rest.length > 0) {
    throw misuse(`--diff takes two files or folders, not ${paths.length}.`);
  }
  const changes = compare(await readProfiles(first), await readProfiles(second));
  print(flags, changes, changes.map(describeChange).join('\n'));
}

/** Pairs modules by SHA-256, then by name. */
function compare(before: readonly Profile[], after: readonly Profile[]): Change[] {
  const pairs = new Map<Profile, Profile>();
  const taken = new Set<Profile>();
  for (const key of ['sha256', 'name'] as const) {
    for (const one of before.filter((entry) => !pairs.has(entry))) {
      const other = after.find((entry) => !taken.has(entry) && entry[key] === one[key]);
      if (!other) continue;
      pairs.set(one, other);
      taken.add(other);
    }
  }
  const changes = before.map((one): Change => {
    const other = pairs.get(one);
    const { name, sha256, executed } = one;
    if (!other) return { name, before: sha256, after: null, added: [], removed: executed, both: 0 };
    const { added, removed, both } = diffProfiles(one, other);
    return { name, before: sha256, after: other.sha256, added, removed, both: both.length };
  });
  const created = after
    .filter((entry) => !taken.has(entry))
    .map(({ name, sha256, executed }): Change => ({
      name,
      before: null,
      after: sha256,
      added: executed,
      removed: [],
      both: 0,
    }));
  return [...changes, ...created];
}

function describeChange({ name, before, after, added, removed, both }: Change): string {
  const kind =
    before === null
      ? ' (only in the second)'
      : after === null
        ? ' (only in the first)'
        : before === after
          ? ''
          : ' (another build)';
  return [
    `${printable(name)}${kind}: ${added.length} added, ${removed.length} removed, ${both} in both`,
    ...removed.map((entry) => `- ${label(entry)}`),
    ...added.map((entry) => `+ ${label(entry)}`),
  ].join('\n');
}
