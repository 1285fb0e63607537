/**
 * The text format of profiles. Projects commit these files and review their changes.
 *
 *     wasm-profile 1
 *     # …
 *
 *     module "sql-wasm"
 *     sha256 8c5a…
 *     functions 641 of 1968
 *     41 8f3c2a17d09be456 run "sqlite3_step"
 *     44 03b7c9e1f2a4d586 hot
 *
 *     end
 *
 * 1. The first line has the version of the format.
 * 2. For each module there are its name, its SHA-256 without custom sections, and how many of its functions
 *    were executed.
 * 3. A line for each executed function follows, in ascending order: index, start of the SHA-256 of the body,
 *    tier, and the name if it has one. The tier is `hot` if the engine optimised the function, otherwise `run`.
 * 4. `end` is last. Without it a file is cut off between two modules. The count detects a file that is cut off
 *    within one.
 *
 * Names are JSON strings, so that every name fits into a line and has no invisible characters. Readers skip
 * empty lines and lines that start with `#`. Equal profiles result in equal bytes: the text has no date and no
 * program version.
 */
import { WasmPrecompileError } from '../common/error.ts';
import { BODY_HASH_DIGITS } from '../wasm/binary/hash.ts';
import { mergeProfiles } from './merge.ts';
import type { Profile, ProfiledFunction } from './startup-profile.ts';

const VERSION = 1;

/** The extension of files with profiles. */
export const PROFILE_EXTENSION = '.wasm-profile';

const COMMENT = [
  '# The functions that a training run executed: index, start of the SHA-256 of the body,',
  '# hot (optimised by the engine) or run, name. Made by `wasm-precompile train`: commit this file.',
];

/** Formats profiles as text. Profiles of the same module are merged (`mergeProfiles`). */
export function formatProfiles(profiles: Iterable<Profile>): string {
  const lines = [`wasm-profile ${VERSION}`, ...COMMENT, ''];
  for (const { name, sha256, functions, executed } of mergeProfiles(profiles)) {
    lines.push(
      `module ${quote(name)}`,
      `sha256 ${sha256}`,
      `functions ${executed.length} of ${functions}`,
      ...executed.map(formatFunction),
      '',
    );
  }
  lines.push('end', '');
  return lines.join('\n');
}

function formatFunction({ index, body, optimised, name }: ProfiledFunction): string {
  const line = `${index} ${body} ${optimised ? 'hot' : 'run'}`;
  return name === undefined ? line : `${line} ${quote(name)}`;
}

/** Formats a name as JSON, and also escapes characters that are invisible or change the writing direction. */
function quote(name: string): string {
  return JSON.stringify(name).replaceAll(/(?! )[\p{Cc}\p{Cf}\p{Z}]/gu, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/**
 * Parses the text of profiles. It accepts CRLF line ends and a byte order mark, which git and editors may add.
 *
 * @param text text that {@link formatProfiles} wrote
 * @param file the name of the file, for messages
 * @throws WasmPrecompileError `INVALID_PROFILE`, with the line number, for any other text
 */
export function parseProfiles(text: string, file: string): Profile[] {
  return new Parser(text, file).parse();
}

const END_OF_FILE = 'the end of the file: it is cut off';

class Parser {
  readonly #file: string;
  readonly #lines: string[];
  /** Number of the last line read. The first line is 1. */
  #number = 0;

  constructor(text: string, file: string) {
    this.#file = file;
    this.#lines = text
      .replace(/^\uFEFF/, '')
      .split('\n')
      .map((line) => line.replace(/\r$/, ''));
  }

  parse(): Profile[] {
    this.#version();
    const profiles: Profile[] = [];
    const modules = new Set<string>();
    for (;;) {
      const line = this.#next();
      if (line === 'end') break;
      const previous = profiles.at(-1);
      const expected = previous
        ? `\`module\` or \`end\` after ${previous.executed.length} functions of ${quote(previous.name)}`
        : '`module`, its name in quotes, or `end`';
      const [, name] = this.#match(line, /^module (".*")$/, expected);
      const profile = this.#module(this.#name(name));
      if (modules.has(profile.sha256)) this.#fail('each module once', `${quote(profile.name)} a second time`);
      modules.add(profile.sha256);
      profiles.push(profile);
    }
    const rest = this.#next();
    if (rest !== undefined) this.#fail('nothing after `end`', describe(rest));
    return profiles;
  }

  #version(): void {
    const expected = `\`wasm-profile ${VERSION}\``;
    const line = this.#lines[0] ?? '';
    this.#number = 1;
    if (line === '' && this.#lines.length === 1) this.#fail(expected, 'an empty file');
    const [, version] = this.#match(line, /^wasm-profile (\d+)$/, expected);
    if (version !== String(VERSION)) {
      this.#fail(expected, `version ${version}, of another version of unplugin-wasm-precompile`);
    }
  }

  #module(name: string): Profile {
    const [, sha256 = ''] = this.#match(
      this.#next(),
      /^sha256 ([0-9a-f]{64})$/,
      '`sha256` and 64 hexadecimal digits',
    );
    const line = this.#next();
    const counts = '`functions`, how many were executed, `of` how many';
    const [, executedDigits, functionsDigits] = this.#match(line, /^functions (\d+) of (\d+)$/, counts);
    const count = this.#u32(executedDigits);
    const functions = this.#u32(functionsDigits);
    if (count > functions) this.#fail(`at most ${functions} executed functions`, `${count}`);
    const executed: ProfiledFunction[] = [];
    for (let left = count; left > 0; left--) {
      executed.push(this.#function(executed, count, functions));
    }
    return { name, sha256, functions, executed };
  }

  #function(before: readonly ProfiledFunction[], count: number, functions: number): ProfiledFunction {
    const [, digits, body = '', tier, name] = this.#match(
      this.#next(),
      FUNCTION,
      `function ${before.length + 1} of ${count} (index, ${BODY_HASH_DIGITS} hexadecimal digits, \`run\` or \`hot\`, name in quotes if any)`,
    );
    const index = this.#u32(digits);
    const first = before[0]?.index ?? index;
    const last = before.at(-1)?.index ?? -1;
    if (index === last) this.#fail('each index once', `${index} a second time`);
    if (index < last) this.#fail(`an index above ${last}, which precedes it`, `${index}`);
    // Imported functions have the lowest indices, and the file does not say how many there are.
    if (index - first >= functions) {
      this.#fail(`indices of ${functions} functions: from ${first} below ${first + functions}`, `${index}`);
    }
    return {
      index,
      name: name === undefined ? undefined : this.#name(name),
      body,
      optimised: tier === 'hot',
    };
  }

  /** Returns the next line that is neither empty nor a comment. */
  #next(): string | undefined {
    while (this.#number < this.#lines.length) {
      const line = this.#lines[this.#number++];
      if (line !== undefined && line.trim() !== '' && !line.startsWith('#')) return line;
    }
    return undefined;
  }

  #match(line: string | undefined, pattern: RegExp, expected: string): RegExpExecArray {
    if (line === undefined) this.#fail(expected, END_OF_FILE);
    return pattern.exec(line) ?? this.#fail(expected, describe(line));
  }

  #name(quoted = ''): string {
    try {
      const name: unknown = JSON.parse(quoted);
      if (typeof name === 'string') return name;
    } catch {
      // The error is thrown below.
    }
    return this.#fail('a name as a JSON string', describe(quoted));
  }

  #u32(digits = ''): number {
    const value = Number(digits);
    if (value > 0xffff_ffff || String(value) !== digits) this.#fail('a number below 2³²', describe(digits));
    return value;
  }

  #fail(expected: string, found: string): never {
    const advice = found.startsWith(CONFLICT)
      ? 'Keep one side of the conflict unchanged, then record it again with `wasm-precompile train`.'
      : 'Record it again with `wasm-precompile train`, or restore the file.';
    throw new WasmPrecompileError(
      'INVALID_PROFILE',
      `${this.#file}:${this.#number}: expected ${expected}, found ${found}. ${advice}`,
    );
  }
}

const FUNCTION = new RegExp(`^(\\d+) ([0-9a-f]{${BODY_HASH_DIGITS}}) (run|hot)(?: (".*"))?$`);

const CONFLICT = 'a merge conflict';

/** Describes an unexpected line for a message. */
function describe(line: string): string {
  if (/^(?:<{7}|={7}|>{7}|\|{7})(?: |$)/.test(line)) return `${CONFLICT} (${line.slice(0, 7)})`;
  return line.length > 60 ? `${quote(line.slice(0, 60))}…` : quote(line);
}
