/** The startup profiles that the option `profile` names, and what becomes of them. */
import { WasmPrecompileError } from '../../common/error.ts';
import { readProfiles } from '../../profile/files.ts';
import { findProfile, isForeign, type ProfileMatch } from '../../profile/match.ts';
import type { Profile } from '../../profile/profile.ts';

/** A module as it was read. */
interface ReadModule {
  /** Absolute path. */
  file: string;
  /** Base name without extension. */
  name: string;
  /** With its names. */
  bytes: Uint8Array;
}

const AGAIN = 'Record it again with `wasm-precompile train`.';

/** What a profile is for, and what becomes of a module without one. */
const CONSEQUENCES = {
  native: 'native code holds all functions',
  parts: 'the module stays whole',
} as const;

export type ProfileUse = keyof typeof CONSEQUENCES;

/** Names that a message shows of each list. */
const NAMES_SHOWN = 5;

/** For all modules of a build, in watch mode of many. */
export class GivenProfiles {
  readonly #path: string;
  readonly #warn: (message: string) => void;
  /** Names of the profiles that were there. */
  readonly #present = new Set<string>();
  /** Names of modules that could have used a profile and have none of them. */
  readonly #without = new Map<string, ProfileUse>();
  /** Whether nothing remains to be said: a profile is in use, or what is wrong with all of them has been told. */
  #settled = false;

  /** @param warn tells each message once */
  constructor(path: string, warn: (message: string) => void) {
    this.#path = path;
    this.#warn = warn;
  }

  /** The functions of a module that its startup profile names; undefined where it has none that fits. */
  async choose(
    module: ReadModule,
    use: ProfileUse = 'native',
  ): Promise<ProfileMatch['functions'] | undefined> {
    const profiles = await this.#read(use);
    if (!profiles) return undefined;
    for (const { name } of profiles) this.#present.add(name);
    const found = findProfile(profiles, module.name, module.bytes);
    if (!found) {
      this.#without.set(module.name, use);
      return undefined;
    }
    this.#settled = true;
    return takeFunctions(module, found.match, use, this.#warn);
  }

  /** At the end of a build: says once that none of the profiles is of any of its modules. */
  describeUnused(): string | undefined {
    if (this.#settled || this.#without.size === 0) return undefined;
    this.#settled = true;
    const [use = 'native'] = this.#without.values();
    return (
      `${this.#path}: expected the startup profile of a module of this build (${list(this.#without.keys())}), found ` +
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
      this.#settled = true;
      this.#warn(`${error.message} Until then ${CONSEQUENCES[use]}.`);
      return undefined;
    }
  }
}

/** The functions that are found in a module; undefined, with a warning, where its profile is not to be used. */
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

/** What is wrong with a profile that is not exactly that of a module, and what becomes of it. */
function describeMismatch(
  { matched, total, wrong }: ProfileMatch,
  foreign: boolean,
  use: ProfileUse,
): string {
  const found = `${matched} of its ${total} functions were found`;
  if (wrong > 0) {
    const kept = use === 'native' ? 'native code holds these' : 'these are loaded at once';
    const becomes = foreign ? `it is not used, ${CONSEQUENCES[use]}` : kept;
    return (
      `: its startup profile is damaged: expected functions that this module has, with their bodies; ${wrong} of ` +
      `${total} are not in it, or are others. Looked for by name and body, ${found}: ${becomes}.`
    );
  }
  return foreign
    ? `: its startup profile is of another module (${found}): it is not used, ${CONSEQUENCES[use]}.`
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
