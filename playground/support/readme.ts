/** Reads and writes the sections of the README with generated figures, each between two markers. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { writeAtomic } from '../../src/common/write-atomic.ts';

export const README = fileURLToPath(new URL('../../README.md', import.meta.url));

/** Returns the text between the markers of a section. */
export async function readSection(file: string, name: string): Promise<string> {
  return (await split(file, name)).text;
}

export async function writeSection(file: string, name: string, text: string): Promise<void> {
  const { before, after, start, end } = await split(file, name);
  await writeAtomic(file, Buffer.from(`${before}${start}\n\n${text}\n\n${end}${after}`));
  await execa('oxfmt', [file], { preferLocal: true });
}

async function split(file: string, name: string) {
  const start = `<!-- ${name}:start -->`;
  const end = `<!-- ${name}:end -->`;
  const [before, rest, ...more] = (await readFile(file, 'utf8')).split(start);
  const [text, after] = rest?.split(end) ?? [];
  if (before === undefined || text === undefined || after === undefined || more.length > 0) {
    throw new Error(`${file}: expected ${start} and ${end} once each`);
  }
  return { before, text, after, start, end };
}

export function formatMarkdown([head = [], ...lines]: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
