/** One line at the end of a build that says how each module was shipped. */
import type { ArtifactContents, NativeCode, SplitContents } from '../../artifact/contents.ts';
import { startupSize } from '../../artifact/startup-size.ts';
import { formatBytes } from '../../common/format-bytes.ts';
import type { CompileAtStartup } from '../compile/decide.ts';

/** How a module was shipped. */
export type Outcome =
  /** In an artifact. */
  | {
      kind: 'artifact';
      native: readonly NativeCode[];
      split: SplitSizes | undefined;
      unsplitReason: string | undefined;
    }
  /** In one of the forms that browsers load. */
  | { kind: 'browser'; how: string; split: SplitSizes | undefined; unsplitReason: string | undefined }
  | { kind: 'inlined' }
  | CompileAtStartup;

interface SplitSizes {
  /** Bytes of wasm that a startup loads. */
  startup: number;
  /** Bytes of the original module. */
  original: number;
  /** Number of secondary modules. */
  secondaries: number;
}

/** A module with its outcome. */
interface Entry {
  name: string;
  sha256: string;
  outcome: Outcome;
}

/** JavaScript modules that a message names for one wasm file. */
const NAMES_SHOWN = 2;

export class Summary {
  /** By path. `printed` is kept, so that a rebuild prints only what has changed. */
  #entries = new Map<string, Entry & { printed?: string }>();

  /** JavaScript modules that load a wasm file themselves, by its path. */
  #scripts = new Map<string, Set<string>>();

  clear(): void {
    this.#entries.clear();
    this.#scripts.clear();
  }

  /** @param file absolute path */
  add(file: string, entry: Entry): void {
    const printed = this.#entries.get(file)?.printed;
    this.#entries.set(file, printed === undefined ? entry : { ...entry, printed });
  }

  /**
   * Records a JavaScript module that loads a wasm file itself.
   *
   * @param file absolute path of the wasm file
   * @param script the JavaScript module, as the summary names it
   */
  addScript(file: string, script: string): void {
    this.#scripts.set(file, (this.#scripts.get(file) ?? new Set()).add(script));
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** The line for all modules that are new or have changed since the last call; undefined if there are none. */
  describe(): string | undefined {
    const lines: string[] = [];
    for (const [file, entry] of this.#entries) {
      const text = `${entry.name} (${describeOutcome(entry.outcome)}${describeScripts(this.#scripts.get(file))})`;
      const printed = `${entry.sha256} ${text}`;
      if (entry.printed !== printed) lines.push(text);
      entry.printed = printed;
    }
    if (lines.length === 0) return undefined;
    return `${lines.length} ${lines.length === 1 ? 'module' : 'modules'}: ${lines.join(', ')}`;
  }
}

/** The outcome for a module in an artifact. */
export function describeContents(
  { native, split, wire }: Pick<ArtifactContents, 'native' | 'split' | 'wire'>,
  unsplitReason: string | undefined,
): Outcome {
  return { kind: 'artifact', native, split: split && sizesOf(split, wire), unsplitReason };
}

/** The outcome for a module in a client build. */
export function describeForBrowsers(
  how: string,
  { wire }: Pick<ArtifactContents, 'wire'>,
  split: Split | undefined,
  unsplitReason: string | undefined,
): Outcome {
  return { kind: 'browser', how, split: split && sizesOf(split, wire), unsplitReason };
}

type Split = Pick<SplitContents, 'primary' | 'memory'> & { secondaries: readonly unknown[] };

function sizesOf(split: Split, wire: Uint8Array): SplitSizes {
  return { startup: startupSize(split), original: wire.length, secondaries: split.secondaries.length };
}

function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'inlined':
      return 'inlined';
    case 'startup':
      return `compiled at startup: ${outcome.reason}`;
    case 'browser':
      return `${outcome.how}${describeSplit(outcome)}`;
    case 'artifact':
      return outcome.native.length === 0
        ? 'compiled at startup: not precompiled for any target'
        : `precompiled for ${describeNative(outcome.native)}${describeSplit(outcome)}`;
  }
}

function describeSplit({ split, unsplitReason }: Extract<Outcome, { kind: 'artifact' | 'browser' }>): string {
  if (split) {
    const { startup, original, secondaries } = split;
    const rest = `the rest is in ${secondaries} secondary ${secondaries === 1 ? 'module' : 'modules'}`;
    return `; a startup loads ${formatBytes(startup)} of ${formatBytes(original)} of wasm, ${rest}`;
  }
  return unsplitReason === undefined ? '' : `; not split: ${unsplitReason}`;
}

function describeScripts(scripts: ReadonlySet<string> | undefined): string {
  if (!scripts) return '';
  const names = [...scripts].slice(0, NAMES_SHOWN);
  const more = scripts.size > names.length ? ` and ${scripts.size - names.length} more` : '';
  return `; loaded by ${names.join(', ')}${more}`;
}

/** `node 22.23.3 and node 26.9.0, 641 of 1968 functions`: targets with the same number of functions share one entry. */
function describeNative(native: readonly NativeCode[]): string {
  const byFunctions = new Map<string, string[]>();
  for (const { release, statistics } of native) {
    const { compiled, executed, functions } = statistics;
    // No functions are counted if the layout of the native code is unknown. It is known if the code was trimmed,
    // also to 0.
    const text = compiled > 0 || executed !== undefined ? `, ${compiled} of ${functions} functions` : '';
    byFunctions.set(text, [...(byFunctions.get(text) ?? []), release]);
  }
  return [...byFunctions].map(([text, names]) => `${names.join(' and ')}${text}`).join('; ');
}
