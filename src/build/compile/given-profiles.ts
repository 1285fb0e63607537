/** The startup profiles that the option `profile` names: finds that of each module, and warns if it cannot be used. */
import { WasmPrecompileError } from '../../common/error.ts';
import { readProfiles } from '../../profile/profile-files.ts';
import { findProfile, isForeign, type ProfileMatch } from '../../profile/match.ts';
import type { Profile } from '../../profile/startup-profile.ts';
import type { SourceModule } from './read-source.ts';

type ReadModule = Pick<SourceModule, 'file' | 'name' | 'bytes'>;

const AGAIN = 'Record it again with `wasm-precompile train`.';

/** The result for a module without a usable profile, by what the profile would select. */
const CONSEQUENCES = {
  native: 'native code holds all functions',
  split: 'the module is not split',
} as const;

/** What the profile selects: functions with native code, or functions of the primary module for browsers. */
export type ProfileUse = keyof typeof CONSEQUENCES;

/** Names that a message shows of each list. */
const NAMES_SHOWN = 5;

/** Serves all modules of a build; in watch mode, of many builds. */
export class GivenProfiles {
  readonly #path: string;
  readonly #warn: (message: string) => void;
  /** Names of the profiles that were read last. */
  #present: readonly string[] = [];
  /** The latest result for each module, by file: a bundler may reuse a module in later runs without loading it. */
  readonly #modules = new Map<
    string,
    { name: string; use: ProfileUse; result: 'matched' | 'failed' | 'none' }
  >();

  /** @param warn may receive a message several times */
  constructor(path: string, warn: (message: string) => void) {
    this.#path = path;
    this.#warn = warn;
  }

  /** The functions of a module that its startup profile names; undefined if no profile matches the module. */
  async choose(
    module: ReadModule,
    use: ProfileUse = 'native',
  ): Promise<ProfileMatch['functions'] | undefined> {
    const { file, name, bytes } = module;
    const profiles = await this.#read(use);
    const found = profiles && findProfile(profiles, name, bytes);
    const result = found ? 'matched' : profiles ? 'none' : 'failed';
    this.#modules.set(file, { name, use, result });
    if (profiles) this.#present = profiles.map((profile) => profile.name);
    return found && takeFunctions(module, found.match, use, this.#warn);
  }

  /** At the end of a build: a sentence if no profile matches any of the modules, and the profiles could be read. */
  describeUnused(): string | undefined {
    const modules = [...this.#modules.values()];
    const [first] = modules;
    if (!first || modules.some(({ result }) => result !== 'none')) return undefined;
    const names = new Set(modules.map(({ name }) => name));
    const { use } = first;
    return (
      `${this.#path}: expected the startup profile of a module of this build (${list(names)}), found ` +
      `${list(this.#present)}. ${capitalize(CONSEQUENCES[use])}. ${AGAIN}`
    );
  }

  async #read(use: ProfileUse): Promise<Profile[] | undefined> {
    try {
      return await readProfiles(this.#path, ({ message }) =>
        this.#warn(`${message} Until then the other profiles of ${this.#path} are used.`),
      );
    } catch (error) {
      if (!(error instanceof WasmPrecompileError)) throw error;
      this.#warn(`${error.message} Until then ${CONSEQUENCES[use]}.`);
      return undefined;
    }
  }
}

/** The functions that a profile and a module share; undefined, with a warning, if the profile must not be used. */
function takeFunctions(
  { file }: ReadModule,
  match: ProfileMatch,
  use: ProfileUse,
  warn: (message: string) => void,
): ProfileMatch['functions'] | undefined {
  const foreign = isForeign(match);
  if (!match.exact) warn(`${file}${describeMismatch(match, foreign, use)} ${AGAIN}`);
  return foreign ? undefined : match.functions;
}

/** How a profile differs from its module, and whether it is used. */
function describeMismatch(
  { matched, total, wrong }: ProfileMatch,
  foreign: boolean,
  use: ProfileUse,
): string {
  const found = `${matched} of its ${total} functions were found`;
  if (wrong > 0) {
    const kept = use === 'native' ? 'native code holds these' : 'the primary module holds these';
    const result = foreign ? `it is not used, ${CONSEQUENCES[use]}` : kept;
    return (
      `: its startup profile is damaged: expected functions that this module has, with their bodies; ${wrong} of ` +
      `${total} are not in it, or are others. In a search by name and body, ${found}: ${result}.`
    );
  }
  return foreign
    ? `: its startup profile belongs to another module (${found}): it is not used, ${CONSEQUENCES[use]}.`
    : ` has changed since its startup profile was recorded: ${found}.`;
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function list(names: Iterable<string>): string {
  const all = [...names].toSorted();
  const shown = all.slice(0, NAMES_SHOWN).map((name) => JSON.stringify(name));
  return all.length > shown.length
    ? `${shown.join(', ')} and ${all.length - shown.length} more`
    : shown.join(', ');
}
