/** Reads the texts of a file: comments, strings, identifiers, prose. One text may span several lines. */
import { extname } from 'node:path';
import ts from 'typescript';

export interface Line {
  /** From 1. */
  number: number;
  text: string;
}

export interface Text {
  kind: 'comment' | 'string' | 'identifier' | 'prose';
  /** Without the marks of comments, lists and quotations. */
  lines: Line[];
}

/** Texts of a file by its extension; none for a file of another kind. */
export function readTexts(path: string, source: string): Text[] {
  switch (extname(path)) {
    case '.ts':
    case '.js':
    case '.mjs':
      return readScript(path, source);
    case '.cc':
    case '.h':
    case '.css':
      return readCLike(source);
    case '.md':
      return readMarkdown(source);
    default:
      return [];
  }
}

function readScript(path: string, source: string): Text[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line + 1;
  const comments = new Map<number, ts.CommentRange>();
  const texts: Text[] = [];

  const collectComments = (node: ts.Node) => {
    for (const range of [
      ...(ts.getLeadingCommentRanges(source, node.pos) ?? []),
      ...(ts.getTrailingCommentRanges(source, node.end) ?? []),
    ]) {
      comments.set(range.pos, range);
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    const message = readMessage(node);
    if (message !== undefined) {
      texts.push({ kind: 'string', lines: splitLines(message, lineOf(node.getStart(file))) });
      // Expressions in a template have texts of their own.
      node.forEachChild(visitInMessage);
      collectComments(node);
      return;
    }
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) {
      texts.push({
        kind: 'identifier',
        lines: [{ number: lineOf(node.getStart(file)), text: splitWords(node.text) }],
      });
    }
    const children = node.getChildren(file);
    // Comments lie before and after tokens, which have no children.
    if (children.length === 0) collectComments(node);
    for (const child of children) visit(child);
  };
  const visitInMessage = (node: ts.Node): void => {
    if (ts.isTemplateSpan(node)) visit(node.expression);
    else if (readMessage(node) === undefined) visit(node);
    else node.forEachChild(visitInMessage);
  };
  visit(file);
  const ranges = [...comments.values()].toSorted((a, b) => a.pos - b.pos);
  return [...texts, ...joinComments(source, ranges, lineOf)];
}

/** The text of a literal, a template (`…` for each expression) or a sum of these; undefined for other nodes. */
function readMessage(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [readMessage(node.left), readMessage(node.right)];
    if (left === undefined && right === undefined) return undefined;
    return (left ?? '…') + (right ?? '…');
  }
  return undefined;
}

interface Range {
  pos: number;
  end: number;
}

/** Line comments that follow each other are one text. */
function joinComments(
  source: string,
  ranges: readonly Range[],
  lineOf: (position: number) => number,
): Text[] {
  const texts: Text[] = [];
  let last: Range | undefined;
  for (const range of ranges) {
    const text = source.slice(range.pos, range.end);
    const lines = splitLines(text, lineOf(range.pos)).map(stripMarks);
    const previous = texts.at(-1);
    const continues =
      last !== undefined &&
      text.startsWith('//') &&
      /^\s*$/.test(source.slice(last.end, range.pos)) &&
      source.slice(last.pos, last.pos + 2) === '//' &&
      !source.slice(last.end, range.pos).includes('\n\n');
    if (continues && previous) previous.lines.push(...lines);
    else texts.push({ kind: 'comment', lines });
    last = range;
  }
  return texts;
}

/** C++ and CSS: comments and strings, by the characters that begin them. */
function readCLike(source: string): Text[] {
  const starts = lineStarts(source);
  const lineOf = (position: number) => starts.findLastIndex((start) => start <= position) + 1;
  const comments: Range[] = [];
  const texts: Text[] = [];
  for (const match of source.matchAll(/\/\/[^\n]*|\/\*[^]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g)) {
    if (match[0].startsWith('/')) comments.push({ pos: match.index, end: match.index + match[0].length });
    else
      texts.push({ kind: 'string', lines: [{ number: lineOf(match.index), text: match[0].slice(1, -1) }] });
  }
  return [...texts, ...joinComments(source, comments, lineOf)];
}

/**
 * Paragraphs, items of lists, headings and cells of tables. Without blocks of code, code in a line (one word: `Code`),
 * addresses of links, and what scripts write between `<!-- x:start -->` and `<!-- x:end -->`: their source is checked.
 */
function readMarkdown(source: string): Text[] {
  const texts: Text[] = [];
  let lines: Line[] = [];
  const end = () => {
    if (lines.length > 0) texts.push({ kind: 'prose', lines });
    lines = [];
  };
  for (const { number, text, skipped } of markdownLines(source)) {
    if (skipped || text.trim() === '') {
      end();
    } else if (isTableRow(text)) {
      end();
      for (const cell of stripMarkdown(text).split('|')) {
        if (cell.trim() !== '') texts.push({ kind: 'prose', lines: [{ number, text: cell.trim() }] });
      }
    } else {
      if (/^\s*([-*#>]|\d+\.)+ /.test(text)) end();
      lines.push({ number, text: stripMarkdown(text) });
    }
  }
  end();
  return texts;
}

/** Each line of a markdown file; `skipped` in a block of code or between the marks of a script. */
export function* markdownLines(source: string): Generator<Line & { skipped: boolean }> {
  let fence: string | undefined;
  let written = false;
  for (const { number, text } of splitLines(source, 1)) {
    const mark = /^\s*(```+|~~~+)/.exec(text)?.[1];
    const inside = fence !== undefined;
    if (mark !== undefined) fence = fence === undefined ? mark : text.trim() === fence ? undefined : fence;
    if (/^<!-- \S+:start -->/.test(text)) written = true;
    yield { number, text, skipped: inside || mark !== undefined || written };
    if (/^<!-- \S+:end -->/.test(text)) written = false;
  }
}

export function isTableRow(line: string): boolean {
  return line.trimStart().startsWith('|');
}

function stripMarkdown(line: string): string {
  return line
    .replace(/^\s*([-*#>]|\d+\.)+ /, '')
    .replaceAll(/`[^`]*`/g, 'Code')
    .replaceAll(/\]\([^)]*\)/g, '')
    .replaceAll(/[[\]*]/g, '');
}

function stripMarks({ number, text }: Line): Line {
  return {
    number,
    text: text
      .replace(/^\s*(\/\*\*?|\/\/+|\*(?!\/))\s?/, '')
      .replace(/\s*\*\/$/, '')
      .trim(),
  };
}

export function splitLines(text: string, first: number): Line[] {
  return text.split('\n').map((line, index) => ({ number: first + index, text: line }));
}

function lineStarts(source: string): number[] {
  return [0, ...[...source.matchAll(/\n/g)].map(({ index }) => index + 1)];
}

/** `healFolder` → `heal Folder`, so that patterns find whole words. */
export function splitWords(text: string): string {
  return text.replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2').replaceAll('_', ' ');
}
