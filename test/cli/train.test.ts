import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { afterAll, describe, expect, it } from 'vitest';
import { ROOT } from '../v8/support.ts';
import { isRunning } from '../train/support.ts';
import { watOfValue } from '../support/wat.ts';

const COMMAND = path.join(ROOT, 'dist/cli/index.js');

const folder = mkdtempSync(path.join(tmpdir(), 'wasm-precompile-train-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Calls a module, prints the result, and keeps running, as a server does. */
const SERVER = `
import { readFileSync } from 'node:fs';
const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
const { instance } = await WebAssembly.instantiate(bytes);
console.log(instance.exports.value());
setInterval(() => {}, 1000);
`;

/** A program that a first signal does not end. */
const STUBBORN = `${SERVER} for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => console.log('no'));`;

function start(program: string) {
  const cwd = mkdtempSync(path.join(folder, 'project-'));
  writeFileSync(path.join(cwd, 'one.wasm'), watOfValue(1));
  writeFileSync(path.join(cwd, 'server.mjs'), `console.log(process.pid); ${program}`);
  // A shell does not forward signals.
  const command = ['sh', '-c', '"$0" server.mjs; true', process.execPath];
  const training = execa(process.execPath, [COMMAND, 'train', '--', ...command], {
    cwd,
    stdin: 'ignore',
    reject: false,
  });
  return { cwd, training };
}

describe('wasm-precompile train, of a server', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('writes the profiles when %s ends it', async (signal) => {
    const { cwd, training } = start(SERVER);
    training.stdout.on('data', (text) => {
      if (/^1$/m.test(String(text))) training.kill(signal);
    });
    const { exitCode, stderr } = await training;
    expect(exitCode, stderr).toBe(0);
    expect(readdirSync(path.join(cwd, 'wasm-profiles'))).toEqual([expect.stringMatching(/\.wasm-profile$/)]);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends a server that ignores %s at the second signal',
    async (signal) => {
      const { training } = start(STUBBORN);
      training.stdout.on('data', (text) => {
        if (/^(?:1|no)$/m.test(String(text))) training.kill(signal);
      });
      const { exitCode, stdout, stderr } = await training;
      expect(exitCode, stderr).toBe(1);
      expect(stderr).toMatch(/ended before it could record/);
      const pid = Number(/^\d+/.exec(stdout)?.[0]);
      expect(pid).toBeGreaterThan(1);
      expect(isRunning(pid)).toBe(false);
    },
  );
});
