/**
 * Replaces artifacts in an output that the bundler has written, and keeps the other files consistent with them: the
 * manifests in generated code, the hashes in the names of all changed files, and every reference to those names.
 *
 * Names change only if all references are certain to be found. Otherwise the files keep their names with the hash
 * of the contents that the bundler wrote. This matters only to a deployment that skips files with known names, so
 * the caller warns about it.
 */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomic } from '../../common/write-atomic.ts';
import { encodePath } from '../../common/encode-path.ts';
import type { HashPlace } from './find-hash.ts';
import { closeInlineSourceMaps, openInlineSourceMaps } from './inline-source-maps.ts';

/** A file of the output. */
export interface OutputFile {
  /** Relative to the output's folder, with slashes. */
  name: string;
  /** The position of the hash in its name; undefined if the name has none, or if the position is unknown. */
  hash: HashPlace | undefined;
}

/** New contents of a file, and the text that describes the file in others: the manifest in generated code. */
export interface Replacement {
  name: string;
  contents: Uint8Array;
  text: {
    /** ASCII. */
    before: string;
    /** Has the same length, so that source maps stay correct. */
    after: string;
  };
}

/** The changes to an output. */
export interface Rewritten {
  /** New names of files, by their old names. */
  names: ReadonlyMap<string, string>;
  /** New contents of files, by their old names. */
  contents: ReadonlyMap<string, Uint8Array>;
  /** Names of replacements that were not made, since no file contains their text. */
  skipped: string[];
  /** Names whose hash no longer matches the contents, sorted. */
  kept: string[];
}

/** Files that may refer to other files. All others stay unchanged. */
const TEXT = /\.(?:[cm]?js|map|json|html?|css|txt|xml|webmanifest)$/;

interface TextFile extends OutputFile {
  /** Read as latin1, which preserves files in any encoding; inline source maps are decoded. */
  before: string;
  after: string;
}

/**
 * Rewrites an output. New files are written before old ones are deleted, and a file that keeps its name is replaced
 * atomically. If a file cannot be read, nothing is written.
 *
 * @param files every file of the output that may refer to another
 * @param mayRename false if the folder also holds files of other outputs
 */
export async function rewriteOutput(
  folder: string,
  files: readonly OutputFile[],
  replacements: readonly Replacement[],
  mayRename: boolean,
): Promise<Rewritten> {
  const texts = await readTexts(folder, files);
  const made: Replacement[] = [];
  const skipped: string[] = [];
  for (const replacement of replacements) {
    if (replaceText(texts, replacement.text)) made.push(replacement);
    else skipped.push(replacement.name);
  }
  const names = (mayRename && planNames(files, texts, made)) || new Map<string, string>();
  const renamed = replacementsFor(files, names);
  const contents = new Map(made.map((replacement) => [replacement.name, replacement.contents]));
  for (const { name, before, after } of texts) {
    const text = replaceAll(after, renamed);
    if (text !== before || names.has(name))
      contents.set(name, Buffer.from(closeInlineSourceMaps(text), 'latin1'));
  }
  const writes = [...contents];
  const write = async ([name, bytes]: [string, Uint8Array]) =>
    writeAtomic(join(folder, names.get(name) ?? name), bytes);
  await Promise.all(writes.filter(([name]) => names.has(name)).map(write));
  await Promise.all(writes.filter(([name]) => !names.has(name)).map(write));
  await Promise.all([...names.keys()].map((name) => rm(join(folder, name), { force: true })));
  const kept = files.filter(({ name, hash }) => hash && contents.has(name) && !names.has(name));
  return { names, contents, skipped, kept: kept.map(({ name }) => name).toSorted() };
}

async function readTexts(folder: string, files: readonly OutputFile[]): Promise<TextFile[]> {
  const texts: TextFile[] = [];
  for (const file of files) {
    if (!TEXT.test(file.name)) continue;
    try {
      // One after another: an output may have thousands of files.
      // oxlint-disable-next-line no-await-in-loop
      const text = openInlineSourceMaps(await readFile(join(folder, file.name), 'latin1'));
      texts.push({ ...file, before: text, after: text });
    } catch (error) {
      // Another plugin has deleted it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return texts;
}

/** @returns whether any file contains the text */
function replaceText(texts: readonly TextFile[], { before, after }: Replacement['text']): boolean {
  let found = false;
  for (const file of texts) {
    const text = file.after
      .replaceAll(before, () => after)
      .replaceAll(escapeQuotes(before), () => escapeQuotes(after));
    found ||= text !== file.after;
    file.after = text;
  }
  return found;
}

/** New names of files whose hash no longer matches; undefined if a reference to an old name could remain. */
function planNames(
  files: readonly OutputFile[],
  texts: readonly TextFile[],
  made: readonly Replacement[],
): Map<string, string> | undefined {
  const textOf = new Map(texts.map((text) => [text.name, text]));
  const contentsOf = new Map(made.map(({ name, contents }) => [name, contents]));
  const stale = findStale(files, textOf, contentsOf);
  const hashed = files.filter(({ hash }) => hash !== undefined);
  if (!areDistinct(hashed.flatMap(spellings))) return undefined;

  // Names of stale files are excluded from the hashed text, since they depend on the hash.
  const neutral = new Map(stale.flatMap((file) => spellings(file).map((spelling) => [spelling, '\0'])));
  const digests = new Map(
    stale.map(({ name }) => [
      name,
      digest(name, contentsOf.get(name) ?? replaceAll(textOf.get(name)?.after ?? '', neutral)),
    ]),
  );
  const references = new Map(
    stale.map((file) => [file.name, stale.filter((other) => refersTo(textOf.get(file.name), other))]),
  );
  const names = new Map<string, string>();
  for (const file of stale) {
    const { name, hash } = file;
    if (!hash) continue;
    const reached = reach(file, references).map((each) => digests.get(each) ?? '');
    const fresh = digest(name, reached.toSorted().join(' ')).slice(0, hash.length);
    names.set(name, `${name.slice(0, hash.start)}${fresh}${name.slice(hash.start + hash.length)}`);
    // A source map is named after its chunk, unless it has a hash of its own.
    const map = textOf.get(`${name}.map`);
    if (map && !map.hash) names.set(`${name}.map`, `${names.get(name)}.map`);
  }
  const known = new Set(files.map(({ name }) => name));
  if ([...names.values()].some((fresh) => known.has(fresh)) || new Set(names.values()).size < names.size) {
    return undefined;
  }
  const replaced = replacementsFor(files, names);
  const old = stale.flatMap(({ name, hash }) =>
    hash ? [name.slice(hash.start, hash.start + hash.length)] : [],
  );
  const remains = texts.some(({ after }) => {
    const text = replaceAll(after, replaced);
    return old.some((hash) => text.includes(hash));
  });
  return remains ? undefined : names;
}

/** Files whose contents change, also because a file that they refer to gets a new name. */
function findStale(
  files: readonly OutputFile[],
  textOf: ReadonlyMap<string, TextFile>,
  contents: ReadonlyMap<string, Uint8Array>,
): OutputFile[] {
  const hasChanged = (name: string) => {
    const text = textOf.get(name);
    return contents.has(name) || text?.before !== text?.after;
  };
  const stale = new Set(files.filter(({ name }) => hasChanged(name)));
  for (const file of stale) {
    if (!file.hash) continue;
    for (const other of files) {
      if (!stale.has(other) && refersTo(textOf.get(other.name), file)) stale.add(other);
    }
  }
  return [...stale];
}

/** Names of all files that a file refers to, directly or through others, and its own. */
function reach(from: OutputFile, references: ReadonlyMap<string, readonly OutputFile[]>): string[] {
  const found = new Set([from.name]);
  for (const name of found) for (const other of references.get(name) ?? []) found.add(other.name);
  return [...found];
}

function refersTo(text: TextFile | undefined, other: OutputFile): boolean {
  return (
    text !== undefined &&
    text.name !== other.name &&
    spellings(other).some((spelling) => text.after.includes(spelling))
  );
}

/**
 * The spellings of a name in a text: unchanged, and encoded for a URL. They begin at the folder or file whose name
 * has the hash, since references may be relative. A name without a hash has none, since it never changes.
 */
function spellings({ name, hash }: OutputFile): string[] {
  if (!hash) return [];
  const tail = name.slice(name.lastIndexOf('/', hash.start) + 1);
  const url = encodePath(tail);
  return [...new Set([Buffer.from(tail).toString('latin1'), url])];
}

/** The new spelling for each spelling of a renamed file. */
function replacementsFor(
  files: readonly OutputFile[],
  names: ReadonlyMap<string, string>,
): Map<string, string> {
  const replaced = new Map<string, string>();
  for (const file of files) {
    const fresh = names.get(file.name);
    if (fresh === undefined || !file.hash) continue;
    const to = spellings({ name: fresh, hash: file.hash });
    spellings(file).forEach((from, index) => replaced.set(from, to[index] ?? from));
  }
  return replaced;
}

/** Whether no name is the end of another: otherwise a reference to one would match the other. */
function areDistinct(spelled: readonly string[]): boolean {
  // Sorted by their reversed text, a name directly follows a name that it ends with.
  const reversed = spelled.map((name) => [...name].toReversed().join('')).toSorted();
  return reversed.every((name, index) => !reversed[index + 1]?.startsWith(name));
}

/** The text within a string of source maps, or within double quotes that a minifier prefers. */
function escapeQuotes(text: string): string {
  return text.replaceAll('"', String.raw`\"`);
}

function replaceAll(text: string, replacements: ReadonlyMap<string, string>): string {
  let result = text;
  for (const [from, to] of replacements) result = result.replaceAll(from, () => to);
  return result;
}

/** Hexadecimal: these digits are in every alphabet that bundlers use for hashes. */
function digest(name: string, contents: Uint8Array | string): string {
  return createHash('sha256').update(name).update('\0').update(contents).digest('hex');
}
