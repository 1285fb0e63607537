/**
 * Changes artifacts of an output that the bundler has written, and keeps the rest consistent with them: the maps in the
 * glue code, the hashes in the names of all files that changed by it, and every mention of those names.
 *
 * Names change only where it is certain that all mentions are found. Else the files keep them: a hash is then that of what
 * the bundler wrote. That disturbs only who takes files with equal names for equal, so users are told.
 */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomic } from '../../common/write-atomic.ts';
import { encodePath } from '../../common/encode-path.ts';
import { closeInlineSourceMaps, openInlineSourceMaps } from './inline-source-maps.ts';

/** A file of the output. */
export interface OutputFile {
  /** Relative to the output's folder, with slashes. */
  name: string;
  /** Where the hash is in its name, in characters; undefined where it has none, or where it is not known. */
  hash: HashPlace | undefined;
}

export interface HashPlace {
  start: number;
  length: number;
}

/** New contents of a file, and the text that stands for the file in others: the map in the glue code. */
export interface Replacement {
  name: string;
  contents: Uint8Array;
  text: {
    /** ASCII. */
    before: string;
    /** Of the same length, so that source maps stay right. */
    after: string;
  };
}

/** What has become of an output. */
export interface Rewritten {
  /** New names of files, by those that they had. */
  names: ReadonlyMap<string, string>;
  /** New contents of files, by the names that they had. */
  contents: ReadonlyMap<string, Uint8Array>;
  /** Names of replacements that were not made: their text is in no file. */
  skipped: string[];
  /** Names with a hash that is no longer that of the contents, sorted. */
  kept: string[];
}

/** What may mention other files. Everything else is left alone. */
const TEXT = /\.(?:[cm]?js|map|json|html?|css|txt|xml|webmanifest)$/;

interface TextFile extends OutputFile {
  /** Each character is a byte, so that files in any encoding survive; source maps in it are decoded. */
  before: string;
  after: string;
}

/**
 * New files are there before old ones go; a file whose name stays is replaced in one step. Nothing is written where
 * reading fails.
 *
 * @param files every file of the output that may mention another
 * @param mayRename false where files of the folder are not only this output's
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
  const renamed = mentionsOf(files, names);
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
      // Another plugin has taken it away.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return texts;
}

/** @returns whether the text was there */
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

/** New names of files whose hash no longer fits; undefined where a mention of an old name could remain. */
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

  // Names of stale files are left out of what is hashed, since they are what is looked for.
  const neutral = new Map(stale.flatMap((file) => spellings(file).map((spelling) => [spelling, '\0'])));
  const digests = new Map(
    stale.map(({ name }) => [
      name,
      digest(name, contentsOf.get(name) ?? replaceAll(textOf.get(name)?.after ?? '', neutral)),
    ]),
  );
  const mentioned = new Map(
    stale.map((file) => [file.name, stale.filter((other) => mentions(textOf.get(file.name), other))]),
  );
  const names = new Map<string, string>();
  for (const file of stale) {
    const { name, hash } = file;
    if (!hash) continue;
    const parts = reach(file, mentioned).map((each) => digests.get(each) ?? '');
    const fresh = digest(name, parts.toSorted().join(' ')).slice(0, hash.length);
    names.set(name, `${name.slice(0, hash.start)}${fresh}${name.slice(hash.start + hash.length)}`);
    // A source map is named after its chunk, unless it has a hash of its own.
    const map = textOf.get(`${name}.map`);
    if (map && !map.hash) names.set(`${name}.map`, `${names.get(name)}.map`);
  }
  const known = new Set(files.map(({ name }) => name));
  if ([...names.values()].some((fresh) => known.has(fresh)) || new Set(names.values()).size < names.size) {
    return undefined;
  }
  const replaced = mentionsOf(files, names);
  const old = stale.flatMap(({ name, hash }) =>
    hash ? [name.slice(hash.start, hash.start + hash.length)] : [],
  );
  const remains = texts.some(({ after }) => {
    const text = replaceAll(after, replaced);
    return old.some((hash) => text.includes(hash));
  });
  return remains ? undefined : names;
}

/** Files whose contents change, also by the new name of one that they mention. */
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
      if (!stale.has(other) && mentions(textOf.get(other.name), file)) stale.add(other);
    }
  }
  return [...stale];
}

/** Names of all files that this one mentions, directly or through others, and its own. */
function reach(from: OutputFile, mentioned: ReadonlyMap<string, readonly OutputFile[]>): string[] {
  const found = new Set([from.name]);
  for (const name of found) for (const other of mentioned.get(name) ?? []) found.add(other.name);
  return [...found];
}

function mentions(text: TextFile | undefined, other: OutputFile): boolean {
  return (
    text !== undefined &&
    text.name !== other.name &&
    spellings(other).some((spelling) => text.after.includes(spelling))
  );
}

/**
 * How the part of a name that is mentioned, from the folder or file with the hash on, may stand in a text: as it is,
 * and as part of a URL. Nothing for names without a hash, which stay.
 */
function spellings({ name, hash }: OutputFile): string[] {
  if (!hash) return [];
  const tail = name.slice(name.lastIndexOf('/', hash.start) + 1);
  const url = encodePath(tail);
  return [...new Set([Buffer.from(tail).toString('latin1'), url])];
}

/** What to replace where files have new names. */
function mentionsOf(files: readonly OutputFile[], names: ReadonlyMap<string, string>): Map<string, string> {
  const replaced = new Map<string, string>();
  for (const file of files) {
    const fresh = names.get(file.name);
    if (fresh === undefined || !file.hash) continue;
    const to = spellings({ name: fresh, hash: file.hash });
    spellings(file).forEach((from, index) => replaced.set(from, to[index] ?? from));
  }
  return replaced;
}

/** Whether no name is a part of another one: it could not be told which of them a text mentions. */
function areDistinct(spelled: readonly string[]): boolean {
  // Sorted by their ends, one that ends like another follows it.
  const reversed = spelled.map((name) => [...name].toReversed().join('')).toSorted();
  return reversed.every((name, index) => !reversed[index + 1]?.startsWith(name));
}

/** As in source maps, and where a minifier prefers double quotes. */
function escapeQuotes(text: string): string {
  return text.replaceAll('"', String.raw`\"`);
}

function replaceAll(text: string, replacements: ReadonlyMap<string, string>): string {
  let result = text;
  for (const [from, to] of replacements) result = result.replaceAll(from, () => to);
  return result;
}

/** Hexadecimal, which every alphabet that bundlers use for hashes contains. */
function digest(name: string, contents: Uint8Array | string): string {
  return createHash('sha256').update(name).update('\0').update(contents).digest('hex');
}
