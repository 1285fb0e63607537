/** Real modules do their work as before, whatever is in which part. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, it } from 'vitest';
import { readModule } from '../../src/wasm/binary/module.ts';
import { splitModule } from '../../src/wasm/split/split.ts';
import { randomNumbers } from '../v8/random.ts';
import { ROOT } from '../v8/support.ts';
import { ensureNode } from '../support/nodes.ts';
import { WORKLOADS } from '../support/workloads.js';

const folder = mkdtempSync(path.join(tmpdir(), 'wasm-split-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Use {
  digests: string[];
  brought: number;
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
  it('gives the same with no function in the primary, and with a random half', async () => {
    const file = WORKLOADS[name]?.wasm ?? '';
    const wire = new Uint8Array(await readFile(file));
    const { importedFunctions, functions } = readModule(wire);
    const random = randomNumbers(1);
    const half = new Set<number>();
    for (let i = 0; i < functions; i++) if (random(2) === 0) half.add(importedFunctions + i);
    const whole = await use(name, [file]);
    expect(new Set(whole.digests).size).toBe(1);
    for (const [label, hot, leastMemory] of [
      ['none', new Set<number>(), 0],
      ['half', half, Infinity],
    ] as const) {
      const split = splitModule(wire, hot, { tailCalls: true, secondaries: 3, leastMemory });
      if ('whole' in split) throw new Error(split.whole);
      const [primary, ...secondaries] = split.parts;
      const files = [primary, split.memory, ...secondaries].map((bytes, index) => {
        if (!bytes) return '';
        const output = path.join(folder, `${label}-${index}.bin`);
        writeFileSync(output, bytes);
        return output;
      });
      // One after another: they are large.
      // oxlint-disable-next-line no-await-in-loop
      const { digests, brought } = await use(name, files);
      expect(digests).toEqual(whole.digests);
      expect(brought).toBeGreaterThan(0);
    }
  });
});
