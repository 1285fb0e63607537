/** The README's figures, which programs write, so that nobody types one. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { writeAtomic } from '../../src/write-atomic.ts';

export const README = fileURLToPath(new URL('../../README.md', import.meta.url));

/** Writes what stands between `<!-- <name>:start -->` and `<!-- <name>:end -->`, once each. */
export async function rewriteFigures(file: string, name: string, figures: string): Promise<void> {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const [before, rest, ...more] = (await readFile(file, 'utf8')).split(start);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`${file}: expected ${start} and ${end}, once each`);
  }
  await writeAtomic(file, Buffer.from(`${before}${start}\n\n${figures}\n\n${end}${after}`));
  await execa('oxfmt', [file], { preferLocal: true });
}

export function formatMarkdown([head = [], ...lines]: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
