import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';

/** Standard output of a command that must succeed without a word on standard error. */
export function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 30 });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

/** What `readelf -aW` says of a file; it must find nothing wrong. */
export function readelf(file: string): string {
  const text = run('readelf', '-aW', file);
  expect(text).not.toMatch(/Warning|Error|readelf:/);
  return text;
}

/** A line of `objdump -d` with an instruction in it; one with data has no second tab. */
export const INSTRUCTION = /\t.*\t/;

/** By symbol name: what `objdump -d` shows below it. */
export function disassemble(file: string): Map<string, string> {
  const blocks = run('objdump', '-d', '-w', file).split(/^(?=[0-9a-f]{16} <)/m);
  return new Map(blocks.slice(1).map((block) => [block.slice(18, block.indexOf('>:\n')), block]));
}
