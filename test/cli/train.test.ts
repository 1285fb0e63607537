import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { afterAll, describe, expect, it } from 'vitest';
import { ROOT } from '../engines/support.ts';
import { watOfValue } from '../support/wat.ts';

const COMMAND = path.join(ROOT, 'dist/cli/index.js');

const folder = mkdtempSync(path.join(tmpdir(), 'wasm-precompile-train-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Uses a module, says so, and goes on for ever, as a server does. */
const SERVER = `
import { readFileSync } from 'node:fs';
const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
const { instance } = await WebAssembly.instantiate(bytes);
console.log(instance.exports.value());
setInterval(() => {}, 1000);
`;

describe('wasm-precompile train, of a server', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ended by %s: writes what was recorded until then',
    async (signal) => {
      const cwd = mkdtempSync(path.join(folder, 'project-'));
      writeFileSync(path.join(cwd, 'one.wasm'), watOfValue(1));
      writeFileSync(path.join(cwd, 'server.mjs'), SERVER);
      const training = execa(process.execPath, [COMMAND, 'train', '--', process.execPath, 'server.mjs'], {
        cwd,
        stdin: 'ignore',
        reject: false,
      });
      training.stdout.once('data', () => training.kill(signal));
      const { exitCode, stderr } = await training;
      expect(exitCode, stderr).toBe(0);
      expect(readdirSync(path.join(cwd, 'wasm-profiles'))).toEqual([
        expect.stringMatching(/\.wasm-profile$/),
      ]);
    },
  );
});
