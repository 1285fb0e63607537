/** An artifact for several targets. Each Node maps only its own segment. */
import { copyFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { sample, SAMPLE_RESULT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { createProgram, LOAD, NODE_26, NODES, outcomes, type Program, run, segmentFor } from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, sample());

let program: Program;
beforeAll(async () => {
  program = await createProgram(path.join(folder, 'program'), SAMPLE);
});

/** V8's version in each Node. */
const V8: Record<string, string> = { '20.19': '11.3', '22': '12.4', '24': '13.6', '26': '14.6' };

describe('an artifact for four targets', () => {
  it('has the wire bytes once, a section of native code for each target, and native addons beside it', () => {
    expect(program.manifest.native.map(({ engine }) => engine.split('.', 2).join('.')).toSorted()).toEqual(
      Object.values(V8)
        .map((version) => `v8-${version}`)
        .toSorted(),
    );
    expect(Object.keys(program.addons).toSorted()).toEqual(
      ['115', '127', '137', '147'].map((abi) => `${process.platform}-${process.arch}-${abi}`),
    );
    const ranges = [program.manifest.wire, ...program.manifest.native];
    for (const { offset } of ranges) expect(offset % 65536).toBe(0);
  });

  it.each(NODES)('is mapped by Node $version in its own segment only', async ({ version, node }) => {
    const result = await run(program, `print(use(compilePlain()));`, { node });
    expect(result.printed).toEqual([SAMPLE_RESULT]);

    const { end, printed, loads, warnings } = await run(program, LOAD, { node });
    expect({ end, printed, warnings }).toEqual({
      end: 0,
      printed: [SAMPLE_RESULT, SAMPLE_RESULT],
      warnings: [],
    });
    const { engine, size } = segmentFor(program, V8[version] ?? '');
    expect(loads).toEqual(
      [1, 2].map(() => ({
        file: program.artifact,
        how: 'precompiled',
        detail: engine,
        bytes: program.manifest.wire.size + size,
        access: 'mapped',
      })),
    );
  });
});

describe('targets with one engine key', () => {
  it('share a section of native code', async () => {
    const copy = path.join(folder, 'node-copy');
    const link = path.join(folder, 'node-link');
    copyFileSync(NODE_26, copy);
    symlinkSync(NODE_26, link);
    const shared = await createProgram(path.join(folder, 'shared'), SAMPLE, [NODE_26, copy, link]);
    expect(shared.manifest.native).toHaveLength(1);
    expect(unpackArtifact(shared.bytes, shared.artifact).native).toHaveLength(1);
    for (const node of [NODE_26, copy, link]) {
      expect(outcomes(await run(shared, LOAD, { node }))).toEqual([
        'precompiled mapped',
        'precompiled mapped',
      ]);
    }
  });
});
