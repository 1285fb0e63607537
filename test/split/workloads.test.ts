/** Real modules compute the same with any assignment of functions. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, it } from 'vitest';
import { readModule } from '../../src/wasm/binary/module.ts';
import { splitModule } from '../../src/wasm/split/split-module.ts';
import { randomNumbers } from '../v8/random.ts';
import { ROOT } from '../v8/support.ts';
import { ensureNode } from '../support/nodes.ts';
import { WORKLOADS } from '../support/workloads.js';

const folder = mkdtempSync(path.join(tmpdir(), 'wasm-split-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Use {
  digests: string[];
  loaded: number;
}

async function use(name: string, files: readonly string[]): Promise<Use> {
  const { stdout } = await execa(await ensureNode('26'), [
    path.join(ROOT, 'test/split/use.js'),
    name,
    ...files,
  ]);
  return JSON.parse(stdout) as Use;
}

describe.each(Object.keys(WORKLOADS))('%s', (name) => {
  it('computes the same with no function in the primary, and with a random half', async () => {
    const file = WORKLOADS[name]?.wasm ?? '';
    const wire = new Uint8Array(await readFile(file));
    const { importedFunctions, functions } = readModule(wire);
    const random = randomNumbers(1);
    const half = new Set<number>();
    for (let i = 0; i < functions; i++) if (random(2) === 0) half.add(importedFunctions + i);
    const original = await use(name, [file]);
    expect(new Set(original.digests).size).toBe(1);
    for (const [label, hot, leastMemory] of [
      ['none', new Set<number>(), 0],
      ['half', half, Infinity],
    ] as const) {
      const split = splitModule(wire, hot, {
        tailCalls: true,
        secondaries: 3,
        minSeparateMemory: leastMemory,
      });
      if ('unsplitReason' in split) throw new Error(split.unsplitReason);
      const [primary, ...secondaries] = split.modules;
      const files = [primary, split.memory, ...secondaries].map((bytes, index) => {
        if (!bytes) return '';
        const output = path.join(folder, `${label}-${index}.bin`);
        writeFileSync(output, bytes);
        return output;
      });
      // One after another, because the modules are large.
      // oxlint-disable-next-line no-await-in-loop
      const { digests, loaded } = await use(name, files);
      expect(digests).toEqual(original.digests);
      expect(loaded).toBeGreaterThan(0);
    }
  });
});
