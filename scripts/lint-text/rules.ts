/** The rules: each takes the texts or the lines of a file and gives findings. */
import { basename, extname } from 'node:path';
import { TERMS } from './terms.ts';
import {
  isTableRow,
  type Line,
  markdownLines,
  readTexts,
  splitLines,
  splitWords,
  type Text,
} from './texts.ts';
import { EXCEPTIONS, SHARED_BASE_NAMES } from './exceptions.ts';

export interface Finding {
  path: string;
  line: number;
  rule: 'term' | 'comment-start' | 'width' | 'long-sentence' | 'base-name' | 'path';
  message: string;
}

export const MAX_WIDTH = 120;
export const MAX_WORDS = 30;

/** Findings of one file; `path` from the top level of the repository, with slashes. */
export function checkFile(path: string, source: string): Finding[] {
  const texts = readTexts(path, source);
  const found = [
    ...texts.flatMap((text) => [
      ...findTerms(path, text),
      ...findCommentStart(text),
      ...findLongSentences(text),
    ]),
    ...findWideLines(path, source, texts),
  ];
  return found
    .map((finding) => ({ path, ...finding }))
    .filter((finding) => !isException(finding))
    .toSorted((a, b) => a.line - b.line);
}

/** Two files in `src` with one base name, which a reader takes for two implementations of one thing. */
export function checkBaseNames(paths: readonly string[]): Finding[] {
  const byName = groupBy(
    paths.filter((path) => path.startsWith('src/')),
    (path) => basename(path),
  );
  return [...byName]
    .filter(([name, same]) => same.length > 1 && !Object.hasOwn(SHARED_BASE_NAMES, name))
    .flatMap(([name, same]) =>
      same.map((path) => ({
        path,
        line: 1,
        rule: 'base-name' as const,
        message: `${name} is also ${same.filter((other) => other !== path).join(', ')}; name each file by what it does`,
      })),
    );
}

/** `Map.groupBy`, which Node 20 does not have. */
export function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
}

/** Paths in the text of docs, such as `src/build/plugin.ts`, that are not there; `paths` are all files. */
export function checkPaths(path: string, source: string, paths: readonly string[]): Finding[] {
  if (extname(path) !== '.md' || path === 'CHANGELOG.md') return [];
  return [...markdownLines(source)]
    .filter(({ skipped }) => !skipped)
    .flatMap(({ number, text }) =>
      [...text.matchAll(/`((?:src|test|playground|scripts|docs)\/[\w./-]+)`/g)]
        .map(([, name = '']) => name)
        .filter(
          (name) => !paths.some((other) => other === name || other.startsWith(`${name.replace(/\/$/, '')}/`)),
        )
        .map((name) => ({ path, line: number, rule: 'path' as const, message: `${name} does not exist` })),
    );
}

type FindingInFile = Omit<Finding, 'path'>;

function isException({ path, message }: Finding): boolean {
  return EXCEPTIONS.some(
    (each) =>
      (each.path.endsWith('/') ? path.startsWith(each.path) : path === each.path) &&
      (each.contains === undefined || message.includes(each.contains)),
  );
}

function findTerms(path: string, text: Text): FindingInFile[] {
  const { joined, lineAt } = join(
    text.lines.map(({ number, text: line }) => ({ number, text: splitWords(line) })),
  );
  const isProse =
    text.kind === 'comment' || text.kind === 'prose' || (text.kind === 'string' && isSentence(joined));
  return TERMS.filter(
    ({ scope }) =>
      scope === 'everywhere' ||
      (isProse && (scope === 'prose' || (scope === 'readme' && path === 'README.md'))),
  ).flatMap(({ pattern, instead }) =>
    [...joined.matchAll(pattern)].map((match) => ({
      line: lineAt(match.index),
      rule: 'term' as const,
      message: `"${match[0]}" (in "${excerpt(joined, match.index)}"): use ${instead}`,
    })),
  );
}

/** At least two words; not a list of class names, a path or a line of code. */
function isSentence(text: string): boolean {
  return /\p{L}{2,} \p{L}{2,}/u.test(text);
}

function findCommentStart({ kind, lines }: Text): FindingInFile[] {
  const first = lines.find(({ text }) => text !== '');
  if (kind !== 'comment' || !first || !/^Of\b/.test(first.text)) return [];
  return [
    {
      line: first.number,
      rule: 'comment-start',
      message: `a comment begins with "Of" ("${first.text.slice(0, 40)}"): begin with a noun or a verb`,
    },
  ];
}

/** In docs, and in strings that end in a full stop, which are messages. */
function findLongSentences(text: Text): FindingInFile[] {
  const { joined, lineAt } = join(text.lines);
  const isMessage = text.kind === 'string' && joined.trimEnd().endsWith('.') && isSentence(joined);
  if (text.kind !== 'prose' && !isMessage) return [];
  return splitSentences(joined)
    .filter(({ words }) => words > MAX_WORDS)
    .map(({ index, words, sentence }) => ({
      line: lineAt(index),
      rule: 'long-sentence' as const,
      message: `${words} words in a sentence ("${sentence.slice(0, 50).trim()}…"): at most ${MAX_WORDS}, better 25`,
    }));
}

const sentenceSegmenter = new Intl.Segmenter('en', { granularity: 'sentence' });
const wordSegmenter = new Intl.Segmenter('en', { granularity: 'word' });

function splitSentences(text: string): { index: number; sentence: string; words: number }[] {
  return [...sentenceSegmenter.segment(text)].map(({ segment, index }) => ({
    index,
    sentence: segment,
    words: [...wordSegmenter.segment(segment)].filter(({ isWordLike }) => isWordLike).length,
  }));
}

/** Comments, and lines of docs that are neither code, a table nor a link. */
function findWideLines(path: string, source: string, texts: readonly Text[]): FindingInFile[] {
  if (extname(path) === '.md') {
    return [...markdownLines(source)]
      .filter(({ text, skipped }) => !skipped && !isTableRow(text) && isWide(text))
      .map(({ number, text }) => wide(number, text, 'line'));
  }
  const lines = splitLines(source, 1);
  const commented = new Set(
    texts.filter(({ kind }) => kind === 'comment').flatMap((text) => text.lines.map(({ number }) => number)),
  );
  return lines
    .filter(({ number, text }) => commented.has(number) && isWide(text))
    .map(({ number, text }) => wide(number, text, 'comment'));
}

function isWide(line: string): boolean {
  return line.length > MAX_WIDTH && !/https?:\/\/\S{30}|\]\(/.test(line);
}

function wide(line: number, text: string, what: string): FindingInFile {
  return { line, rule: 'width', message: `a ${what} of ${text.length} columns: wrap at ${MAX_WIDTH}` };
}

/** Lines as one text, since phrases and sentences go on in the next line. */
function join(lines: readonly Line[]): { joined: string; lineAt: (index: number) => number } {
  const starts: number[] = [];
  let joined = '';
  for (const { text } of lines) {
    starts.push(joined.length);
    joined += `${text} `;
  }
  return {
    joined: joined.slice(0, -1),
    lineAt: (index) => lines[starts.findLastIndex((start) => start <= index)]?.number ?? 1,
  };
}

function excerpt(text: string, index: number): string {
  return text.slice(Math.max(0, index - 20), index + 30).trim();
}
