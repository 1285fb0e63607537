/** Random modules, split at random, compute the same as the original. */
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
  it('compute the same as the original, split at random', { timeout: MODULES * 10_000 }, async () => {
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
    const sum = (of: 'compared' | 'steps' | 'merged' | 'separate' | 'stubbed' | 'loaded') =>
      results.reduce((total, result) => total + result[of], 0);
    expect(results.flatMap(({ differences }) => differences)).toEqual([]);
    console.log(
      `${sum('compared')} of ${MODULES} modules compared, ${sum('steps')} steps, ${sum('merged')} with merged data segments, ${sum('separate')} with a separate memory, ${sum('stubbed')} stubbed, ${sum('loaded')} secondaries loaded`,
    );
    // The comparison proves something only if enough modules have each of these.
    expect(sum('compared')).toBeGreaterThan(MODULES / 2);
    expect(sum('loaded')).toBeGreaterThan(sum('compared') / 2);
    expect(sum('merged')).toBeGreaterThan(sum('compared') / 20);
    expect(sum('separate')).toBeGreaterThan(sum('compared') / 20);
    expect(sum('stubbed')).toBeGreaterThan(sum('compared') / 20);
  });
});
