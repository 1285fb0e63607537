/** The functions that `findExecuted` finds in V8's native code of a run, compared with those that the run executed. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { findExecuted } from '../../src/v8/executed.ts';
import { parseNativeCode } from '../../src/v8/layout.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { addonOf } from '../support/native-run.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { sample } from './modules.ts';
import { ROOT, temporaryFolder } from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, sample());
const { importedFunctions, functions } = readModule(sample(), 'sample');
const counts = { importedFunctions, functions };

/** Indices of the functions of `SAMPLE_WAT` by name. */
const INDEX = Object.fromEntries(
  ['twice', 'constant', 'peek', 'quadruple', 'sum', 'choose', 'increment', 'square', 'apply', 'root'].map(
    (name, index) => [name, index],
  ),
);
const indexOf = (name: string): number => INDEX[name] ?? expect.fail(`there is no function ${name}`);

type Call = [name: string, ...values: number[]];

interface Run {
  calls: Call[];
  /** Functions to optimise without calling them. */
  requested?: string[];
  /** A call to repeat until V8 has optimised the function. */
  hot?: Call;
}

/** V8's flag `--wasm-tiering-budget`, as `node --v8-options` prints it. */
const DEFAULT_BUDGETS = { '20.19': 1_800_000, '22': 13_000_000, '24': 13_000_000, '26': 13_000_000 };

describe.each(NODE_VERSIONS)('native code of a run in Node %s', (version) => {
  let node: string;
  let v8: string;
  beforeAll(async () => {
    node = await ensureNode(version);
    ({ stdout: v8 } = await execa(node, ['-p', 'process.versions.v8']));
  });

  const train = async ({ calls, requested = [], hot }: Run) => {
    const output = path.join(folder, `${version}.native`);
    const lists = [calls, requested, hot ?? null].map((list) => JSON.stringify(list));
    const addon = (await addonOf(node)) ?? '';
    await execa(node, [path.join(ROOT, 'test/v8/train.js'), SAMPLE, output, addon, ...lists]);
    return readFileSync(output);
  };

  const executed = (code: Uint8Array, tieredUp: string[]) => {
    const found = findExecuted(code, v8, counts, new Set(tieredUp.map(indexOf)));
    return found?.map(({ index, optimised }) => {
      const name = Object.keys(INDEX)[index] ?? '';
      return optimised ? `${name} (hot)` : name;
    });
  };

  it('shows functions that were called directly, by others and through the table', async () => {
    const requested = ['choose'];
    const calls: Call[] = [['constant'], ['quadruple', 4], ['apply', 1, 5], ['sum', 10]];
    const code = await train({ calls, requested });
    expect(executed(code, requested)).toEqual(['constant', 'quadruple', 'sum', 'square', 'apply']);
  });

  it('shows functions that V8 found hot', async () => {
    const requested = ['choose'];
    const code = await train({ calls: [['constant']], requested, hot: ['sum', 3_000_000] });
    expect(executed(code, requested)).toEqual(['constant', 'sum (hot)']);
  });

  it('does not show functions that were only optimised by request, if they are listed', async () => {
    const code = await train({ calls: [], requested: ['root', 'peek'] });
    expect(executed(code, ['root', 'peek'])).toEqual([]);
    expect(executed(code, ['root'])).toEqual(['peek (hot)']);
    expect(executed(code, [])).toEqual(['peek (hot)', 'root (hot)']);
  });

  it('shows a function that was called and then optimised by request as not hot', async () => {
    const code = await train({ calls: [['root', 2], ['constant']], requested: ['root'] });
    expect(executed(code, ['root'])).toEqual(['constant', 'root']);
  });

  it('shows a function that returned, and not one that only trapped', async () => {
    const trap: Call = ['peek', 70_000];
    const requested = ['choose'];
    expect(executed(await train({ calls: [trap], requested }), requested)).toEqual([]);
    const code = await train({ calls: [trap, ['peek', 4], trap], requested });
    expect(executed(code, requested)).toEqual(['peek']);
  });

  it('has the default budget of this V8 for functions that were not executed', async () => {
    const code = await train({ calls: [['constant']], requested: ['root'] });
    const budgets = parseNativeCode(code, v8, counts)?.records.map(({ tieringBudget }) => tieringBudget);
    const [constant, ...others] = budgets ?? [];
    expect(new Set(others)).toEqual(new Set([DEFAULT_BUDGETS[version]]));
    expect(constant).toBeLessThan(DEFAULT_BUDGETS[version]);
  });

  it('shows all functions if all were executed, regardless of their budgets', async () => {
    const requested = ['sum'];
    const calls: Call[] = [
      ['constant'],
      ['peek', 4],
      ['quadruple', 1],
      ['sum', 3],
      ['choose', 2],
      ['apply', 0, 1],
      ['apply', 1, 1],
      ['root', 2],
    ];
    const code = await train({ calls, requested });
    const all = Object.keys(INDEX).slice(importedFunctions);
    expect(executed(code, requested)).toEqual(all);
  });
});
