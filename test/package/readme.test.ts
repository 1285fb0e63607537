/** The README's section "What is in an artifact": its commands print the lines that it shows. */
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { compileCommand } from '../cli/support.ts';
import { ensureNode } from '../support/nodes.ts';
import { CHECKOUT } from '../support/project.ts';
import { temporaryFolder } from './support.ts';

interface Example {
  command: string;
  /** The lines without empty ones and without `…`, which marks omitted lines. */
  lines: string[];
}

/** Returns the commands in the first code block of a section, each with the lines below it. */
function readExamples(section: string): Example[] {
  const readme = readFileSync(join(CHECKOUT, 'README.md'), 'utf8');
  const [, text = ''] = readme.split(`\n## ${section}\n`);
  const [, block = ''] = text.split('```\n');
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((example) => {
      const [command = '', ...lines] = example.split('\n');
      return { command, lines: comparable(lines).filter((line) => line !== '' && line !== '…') };
    });
}

/**
 * Removes the differences between runs: addresses, offsets and sizes change with each compilation, column widths
 * with the version of binutils.
 */
function comparable(lines: string[]): string[] {
  return lines.map((line) =>
    line
      .replaceAll(/\b[0-9a-f]{5,}\b/g, '#')
      .replaceAll(/\s+/g, ' ')
      .trim(),
  );
}

it('shows the output of readelf, objdump and nm', async () => {
  const cwd = temporaryFolder();
  symlinkSync(join(CHECKOUT, 'node_modules'), join(cwd, 'node_modules'));
  const [compile, ...examples] = readExamples('What is in an artifact');
  const args = compile?.command.match(/^npx wasm-precompile compile (.+)$/)?.[1]?.split(' ') ?? [];
  const { exitCode, stderr } = await compileCommand([...args, '-t', await ensureNode('20.19')], { cwd });
  expect(exitCode, stderr).toBe(0);

  expect(examples.map(({ command }) => command.split(' ')[0])).toEqual(['readelf', 'objdump', 'nm']);
  for (const { command, lines } of examples) {
    const { stdout } = await execa('sh', ['-c', command], { cwd, env: { LC_ALL: 'C' } });
    const printed = comparable(stdout.split('\n'));
    expect(lines.length).toBeGreaterThan(1);
    // All lines occur, in this order.
    expect(printed.filter((line) => lines.includes(line))).toEqual(lines);
  }
});
