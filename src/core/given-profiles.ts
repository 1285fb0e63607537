/** The startup profiles that the option `profile` names, and what becomes of them. */
import { WasmPrecompileError } from '../error.ts';
import { readProfiles } from '../profile/files.ts';
import { findProfile, isForeign, type ProfileMatch } from '../profile/match.ts';
import type { Profile } from '../profile/profile.ts';

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

/** Names that a message shows of each list. */
const NAMES_SHOWN = 5;

/** For all modules of a build, in watch mode of many. */
export class GivenProfiles {
  readonly #path: string;
  readonly #warn: (message: string) => void;
  /** Names of the profiles that were there. */
  readonly #present = new Set<string>();
  /** Names of modules that have native code and none of the profiles. */
  readonly #without = new Set<string>();
  /** Whether nothing remains to be said: a profile is in use, or what is wrong with all of them has been told. */
  #settled = false;

  /** @param warn tells each message once */
  constructor(path: string, warn: (message: string) => void) {
    this.#path = path;
    this.#warn = warn;
  }

  /** The functions of a module that its startup profile names; undefined where it has none that fits. */
  async choose(module: ReadModule): Promise<ProfileMatch['functions'] | undefined> {
    const profiles = await this.#read();
    if (!profiles) return undefined;
    for (const { name } of profiles) this.#present.add(name);
    const found = findProfile(profiles, module.name, module.bytes);
    if (!found) {
      this.#without.add(module.name);
      return undefined;
    }
    this.#settled = true;
    return takeFunctions(module, found.match, this.#warn);
  }

  /** At the end of a build: says once that none of the profiles is of any of its modules. */
  describeUnused(): string | undefined {
    if (this.#settled || this.#without.size === 0) return undefined;
    this.#settled = true;
    return (
      `${this.#path}: expected the startup profile of a module of this build (${list(this.#without)}), found ` +
      `${list(this.#present)}. Native code holds all functions. ${AGAIN}`
    );
  }

  async #read(): Promise<Profile[] | undefined> {
    try {
      return await readProfiles(this.#path, ({ message }) =>
        this.#warn(`${message} Until then the other profiles of ${this.#path} are used.`),
      );
    } catch (error) {
      if (!(error instanceof WasmPrecompileError)) throw error;
      this.#settled = true;
      this.#warn(`${error.message} Until then native code holds all functions.`);
      return undefined;
    }
  }
}

/** The functions that are found in a module; undefined, with a warning, where its profile is not to be used. */
function takeFunctions(
  { file }: ReadModule,
  match: ProfileMatch,
  warn: (message: string) => void,
): ProfileMatch['functions'] | undefined {
  const foreign = isForeign(match);
  if (!match.exact) warn(`${file}${describeMismatch(match, foreign)} ${AGAIN}`);
  return foreign ? undefined : match.functions;
}

/** What is wrong with a profile that is not exactly that of a module, and what becomes of it. */
function describeMismatch({ matched, total, wrong }: ProfileMatch, foreign: boolean): string {
  const found = `${matched} of its ${total} functions were found`;
  if (wrong > 0) {
    const use = foreign ? 'it is not used, native code holds all functions' : 'native code holds these';
    return (
      `: its startup profile is damaged: expected functions that this module has, with their bodies; ${wrong} of ` +
      `${total} are not in it, or are others. Looked for by name and body, ${found}: ${use}.`
    );
  }
  return foreign
    ? `: its startup profile is of another module (${found}): it is not used, native code holds all functions.`
    : ` has changed since its startup profile was recorded: ${found}.`;
}

function list(names: ReadonlySet<string>): string {
  const all = [...names].toSorted();
  const shown = all.slice(0, NAMES_SHOWN).map((name) => JSON.stringify(name));
  return all.length > shown.length
    ? `${shown.join(', ')} and ${all.length - shown.length} more`
    : shown.join(', ');
}
