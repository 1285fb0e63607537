/** Watch mode reads files that another tool is writing. */
import { rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readComplete } from '../../src/build/compile/read-complete.ts';
import { WasmPrecompileError } from '../../src/common/error.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { createProject } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

const WASM = watOfValue(1);

/** Reads a file; after each attempt another tool does the next of these steps. */
async function readDuring(first: string | Uint8Array, ...steps: ((file: string) => void)[]) {
  const project = await createProject({ 'one.wasm': first });
  const file = project.path('one.wasm');
  let attempts = 0;
  const read = async () => {
    attempts++;
    try {
      const bytes: Uint8Array = await readFile(file);
      readModule(bytes, file);
      return { bytes };
    } catch (error) {
      if (error instanceof WasmPrecompileError) throw error;
      throw new WasmPrecompileError('UNREADABLE_FILE', file, { cause: error });
    } finally {
      steps.shift()?.(file);
    }
  };
  const { bytes } = await readComplete(file, read);
  return { bytes: Uint8Array.from(bytes), attempts };
}

const write = (bytes: Uint8Array | string) => (file: string) => writeFileSync(file, bytes);
const COMPLETE = Uint8Array.from(WASM);

test('reads a complete file once', async () => {
  expect(await readDuring(WASM)).toEqual({ bytes: COMPLETE, attempts: 1 });
});

test.each<[string, string | Uint8Array]>([
  ['is empty', ''],
  ['ends within a section', WASM.subarray(0, -1)],
])('reads a file again that %s', async (_, partial) => {
  expect(await readDuring(partial, write(WASM))).toEqual({ bytes: COMPLETE, attempts: 2 });
});

test('reads a file again that is deleted and written again', async () => {
  expect(await readDuring('', (file) => rmSync(file), write(''), write(WASM))).toEqual({
    bytes: COMPLETE,
    attempts: 4,
  });
});

test('reads a file again that ends between two sections and grows', async () => {
  expect(await readDuring(WASM.subarray(0, 8), write(WASM))).toEqual({ bytes: COMPLETE, attempts: 2 });
});

test('waits for as long as the file grows', async () => {
  // With 50 ms between attempts, more than the 200 ms after which an unchanged file counts as complete.
  const steps = Array.from({ length: 7 }, (_, index) => write(WASM.subarray(0, index + 1)));
  expect(await readDuring('', ...steps, write(WASM))).toEqual({ bytes: COMPLETE, attempts: 9 });
});

test('throws when a file that is no wasm does not change', async () => {
  await expect(readDuring('no wasm')).rejects.toMatchObject({ code: 'INVALID_WASM' });
});

test('throws at once when the module uses an unsupported feature', async () => {
  const project = await createProject({ 'one.wasm': WASM });
  let attempts = 0;
  const read = () => {
    attempts++;
    return Promise.reject(new WasmPrecompileError('UNSUPPORTED_WASM', 'on purpose'));
  };
  await expect(readComplete(project.path('one.wasm'), read)).rejects.toThrow('on purpose');
  expect(attempts).toBe(1);
});
