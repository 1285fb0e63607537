import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { generateModule } from '../../playground/bench/generate.ts';
import { measureCases } from '../../playground/support/cases.ts';
import { runProgram, summarize } from '../../playground/support/program.ts';
import { measureInTurn } from '../../playground/support/rounds.ts';

const PROGRESS = { update() {}, end() {} };

describe('measureInTurn', () => {
  it('takes one sample of each candidate in every round, after a warm-up', async () => {
    const order: string[] = [];
    const candidate = (name: string) => async (warmUp: boolean) => order.push(warmUp ? `(${name})` : name);
    const outcomes = await measureInTurn([candidate('a'), candidate('b')], 2, PROGRESS, '');
    // Every second round is in reverse order.
    expect(order).toEqual(['(a)', '(b)', 'b', 'a', 'a', 'b']);
    expect(outcomes).toEqual([
      { warmUp: 1, samples: [4, 5] },
      { warmUp: 2, samples: [3, 6] },
    ]);
  });

  it('skips a candidate that has failed', async () => {
    let starts = 0;
    const failing = async () => {
      starts += 1;
      if (starts === 2) throw new Error('no more');
      return starts;
    };
    const outcomes = await measureInTurn([failing, async () => 0], 3, PROGRESS, '');
    expect(starts).toBe(2);
    expect(outcomes).toEqual([{ missing: 'no more' }, { warmUp: 0, samples: [0, 0, 0] }]);
  });
});

describe('a Node version that cannot be installed', () => {
  it('is reported as missing in all modes, with the reason', async () => {
    const program = { file: 'measure.js' };
    const setup = {
      module: 'm',
      node: { version: '26', missing: 'npm cannot install it' },
      programs: { baseline: program, precompiled: program, unsplit: program, profile: program },
      args: [],
    };
    const options = { rounds: 1, timeLimit: 1, progress: PROGRESS, what: '' };
    const missing = { missing: 'npm cannot install it' };
    expect(await measureCases([setup], options)).toEqual([
      {
        module: 'm',
        node: '26',
        modes: { baseline: missing, precompiled: missing, unsplit: missing, profile: missing, warm: missing },
      },
    ]);
  });
});

describe('a program that does not exist', () => {
  it('is named in the error', async () => {
    await expect(runProgram(['/nowhere/node'], v.string())).rejects.toThrow(
      'cannot be started: /nowhere/node, ENOENT',
    );
  });
});

describe('generated modules', () => {
  it.each([1, 3])('are valid, have the requested size, and run, with stride %i', async (stride) => {
    for (const size of [20_000, 1_000_000]) {
      const bytes = Uint8Array.from(generateModule(size, stride));
      expect(Math.abs(bytes.length - size)).toBeLessThan(size / 20);
      const { instance } = await WebAssembly.instantiate(bytes);
      const { run } = instance.exports;
      if (typeof run !== 'function') throw new Error('it exports no run');
      expect(run(1)).toBe(run(1));
    }
  });
});

describe('a very large generated module', () => {
  it('can be generated', () => {
    expect(generateModule(40_000_000, 3).length).toBeGreaterThan(39_000_000);
  });
});

describe('summarize', () => {
  it.each([
    ['file.js:3\n  throw x;\n\nTypeError: x is y\n    at file.js:3\n\nNode.js v20', 'TypeError: x is y'],
    ['one\ntwo\n', 'two'],
    ['', ''],
  ])('reduces the output %j to the line %j', (output, line) => expect(summarize(output)).toBe(line));
});
