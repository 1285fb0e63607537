import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';

/** Returns the standard output of a command. It must succeed and write nothing to standard error. */
export function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 30 });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

/** Returns the output of `readelf -aW` for a file. It must have no warning. */
export function readelf(file: string): string {
  const text = run('readelf', '-aW', file);
  expect(text).not.toMatch(/Warning|Error|readelf:/);
  return text;
}

/** Matches a line of `objdump -d` with an instruction. A line with data has no second tab. */
export const INSTRUCTION = /\t.*\t/;

/** Returns the output of `objdump -d` by symbol name. */
export function disassemble(file: string): Map<string, string> {
  const blocks = run('objdump', '-d', '-w', file).split(/^(?=[0-9a-f]{16} <)/m);
  return new Map(blocks.slice(1).map((block) => [block.slice(18, block.indexOf('>:\n')), block]));
}
