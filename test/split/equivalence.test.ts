/** Random modules, split at random, do the same as the whole. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pLimit from 'p-limit';
import { afterAll, describe, expect, it } from 'vitest';
import { ensureNode } from '../support/nodes.ts';
import { compareRandom } from './random.ts';

/** How many random modules: about two in a second. `WASM_SPLIT_MODULES=2000` for a thorough run. */
const MODULES = Number(process.env['WASM_SPLIT_MODULES'] ?? 60);
const FIRST = Number(process.env['WASM_SPLIT_FIRST'] ?? 1);
const BATCH = 20;

const folder = mkdtempSync(path.join(tmpdir(), 'wasm-split-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('random modules', () => {
  it('do the same, split at random', { timeout: MODULES * 10_000 }, async () => {
    const node = await ensureNode('26');
    const limit = pLimit(2);
    const batches = Array.from({ length: Math.ceil(MODULES / BATCH) }, (_, batch) =>
      Array.from(
        { length: Math.min(BATCH, MODULES - batch * BATCH) },
        (_each, i) => FIRST + batch * BATCH + i,
      ),
    );
    const results = await Promise.all(
      batches.map((seeds) => limit(() => compareRandom(node, folder, seeds))),
    );
    const sum = (of: 'compared' | 'steps' | 'merged' | 'apart' | 'lean' | 'brought') =>
      results.reduce((total, result) => total + result[of], 0);
    expect(results.flatMap(({ differences }) => differences)).toEqual([]);
    console.log(
      `${sum('compared')} of ${MODULES} modules compared, ${sum('steps')} steps, ${sum('merged')} with fewer data segments, ${sum('apart')} with their memory apart, ${sum('lean')} lean, ${sum('brought')} parts came in`,
    );
    // Where nothing comes in, becomes one, is apart, or lacks bodies, nothing is tested.
    expect(sum('compared')).toBeGreaterThan(MODULES / 2);
    expect(sum('brought')).toBeGreaterThan(sum('compared') / 2);
    expect(sum('merged')).toBeGreaterThan(sum('compared') / 20);
    expect(sum('apart')).toBeGreaterThan(sum('compared') / 20);
    expect(sum('lean')).toBeGreaterThan(sum('compared') / 20);
  });
});
