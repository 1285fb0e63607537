/** What became of each module of a build, in one line. */
import type { ArtifactContents, NativeCode, SplitContents } from '../../artifact/contents.ts';
import { startupSize } from '../../artifact/startup-size.ts';
import { formatBytes } from '../../common/format-bytes.ts';

/** What became of a module. */
export type Outcome =
  | {
      kind: 'native';
      native: readonly NativeCode[];
      split?: SplitSizes | undefined;
      /** Why it could not be split, where that was to be. */
      whole?: string | undefined;
    }
  /** Plain wasm, in one of the forms that browsers load. */
  | { kind: 'web'; how: string; split: SplitSizes | undefined; whole: string | undefined }
  | { kind: 'inlined' }
  /** Shipped as plain wasm. */
  | { kind: 'plain'; why: string };

/** Of a split module: bytes of wasm that a start loads, and of the whole; and how many parts come in later. */
interface SplitSizes {
  start: number;
  whole: number;
  parts: number;
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
  /** By path; what was told stays there, so that a rebuild tells only what is new. */
  #entries = new Map<string, Entry & { told?: string }>();

  /** JavaScript modules that load a file by themselves, by its path. */
  #loaders = new Map<string, Set<string>>();

  clear(): void {
    this.#entries.clear();
    this.#loaders.clear();
  }

  /** @param file absolute path */
  add(file: string, entry: Entry): void {
    const told = this.#entries.get(file)?.told;
    this.#entries.set(file, told === undefined ? entry : { ...entry, told });
  }

  /**
   * A JavaScript module was found that loads the file by itself.
   *
   * @param file absolute path
   * @param loader what to call that module
   */
  addLoader(file: string, loader: string): void {
    this.#loaders.set(file, (this.#loaders.get(file) ?? new Set()).add(loader));
  }

  /** Tells each module once, unless it has changed since. */
  tell(): string | undefined {
    const lines: string[] = [];
    for (const [file, entry] of this.#entries) {
      const text = `${entry.name} (${describe(entry.outcome)}${describeLoaders(this.#loaders.get(file))})`;
      const told = `${entry.sha256} ${text}`;
      if (entry.told !== told) lines.push(text);
      entry.told = told;
    }
    if (lines.length === 0) return undefined;
    return `${lines.length} ${lines.length === 1 ? 'module' : 'modules'}: ${lines.join(', ')}`;
  }
}

/** What became of a module that is in an artifact. */
export function describeContents(
  { native, split, wire }: Pick<ArtifactContents, 'native' | 'split' | 'wire'>,
  whole: string | undefined,
): Outcome {
  return {
    kind: 'native',
    native,
    split: split && sizesOf(split, wire),
    whole,
  };
}

/** The same for a module that browsers get. */
export function describeForBrowsers(
  how: string,
  { wire }: Pick<ArtifactContents, 'wire'>,
  parts: Parts | undefined,
  whole: string | undefined,
): Outcome {
  return { kind: 'web', how, split: parts && sizesOf(parts, wire), whole };
}

type Parts = Pick<SplitContents, 'primary' | 'memory'> & { secondaries: readonly unknown[] };

function sizesOf(parts: Parts, wire: Uint8Array): SplitSizes {
  return { start: startupSize(parts), whole: wire.length, parts: parts.secondaries.length };
}

function describe(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'inlined':
      return 'inlined';
    case 'plain':
      return `plain: ${outcome.why}`;
    case 'web':
      return `plain: ${outcome.how}${describeSplit(outcome)}`;
    case 'native':
      return outcome.native.length === 0
        ? 'plain: no native code for any target'
        : `native code for ${describeNative(outcome.native)}${describeSplit(outcome)}`;
  }
}

function describeSplit({ split, whole }: Extract<Outcome, { kind: 'native' | 'web' }>): string {
  if (split) {
    const { start, parts } = split;
    const rest = `the rest is in ${parts} ${parts === 1 ? 'part' : 'parts'}`;
    return `; a start loads ${formatBytes(start)} of ${formatBytes(split.whole)} of wasm, ${rest}`;
  }
  return whole === undefined ? '' : `; not split: ${whole}`;
}

function describeLoaders(loaders: ReadonlySet<string> | undefined): string {
  if (!loaders) return '';
  const names = [...loaders].slice(0, NAMES_SHOWN);
  const more = loaders.size > names.length ? ` and ${loaders.size - names.length} more` : '';
  return `; loaded by ${names.join(', ')}${more}`;
}

/** `node 22.23.3 and node 26.9.0, 641 of 1968 functions`: targets with as many functions stand together. */
function describeNative(native: readonly NativeCode[]): string {
  const byFunctions = new Map<string, string[]>();
  for (const { release, statistics } of native) {
    const { compiled, executed, functions } = statistics;
    // Where the layout of native code is unknown, nothing was counted. It is known of what was trimmed, also to nothing.
    const text = compiled > 0 || executed !== undefined ? `, ${compiled} of ${functions} functions` : '';
    byFunctions.set(text, [...(byFunctions.get(text) ?? []), release]);
  }
  return [...byFunctions].map(([text, names]) => `${names.join(' and ')}${text}`).join('; ');
}

/** `128 KiB`, `1000 bytes`. */
export function formatSize(bytes: number): string {
  return bytes > 0 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`;
}
