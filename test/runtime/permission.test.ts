/** Loads under Node's permission model, with no permission except to read the program's own folder. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sample, SAMPLE_RESULT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { ensureNode } from '../support/nodes.ts';
import {
  build,
  LOAD,
  LOAD_ERROR,
  LOAD_SYNC,
  type Output,
  precompiled,
  run,
  writeFile,
  times,
} from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, sample());

const MODELS = [
  ['20.19', '--experimental-permission'],
  ['22', '--experimental-permission'],
  ['24', '--permission'],
] as const;

describe.each(MODELS)('in Node %s with %s', (version, flag) => {
  let node: string;
  let output: Output;
  beforeAll(async () => {
    node = await ensureNode(version);
    output = await build(path.join(folder, version), SAMPLE, [node]);
  });

  it('precompiles with the permission to read the program', async () => {
    const result = await run(output, LOAD + LOAD_SYNC, {
      node,
      args: [flag, `--allow-fs-read=${output.folder}/`],
    });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT], warnings: [] });
    expect(result.loads).toEqual([precompiled(output), precompiled(output)]);
  });

  it('precompiles with that permission in a worker', async () => {
    const result = await run(
      output,
      `
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
if (isMainThread) {
  new Worker(new URL(import.meta.url), { execArgv: [], env: { NODE_DEBUG: 'wasm-precompile' } }).on('message', print);
} else {
  parentPort.postMessage([use(await create().load()), use(create().loadSync())]);
}`,
      { node, args: [flag, '--allow-worker', `--allow-fs-read=${output.folder}/`] },
    );
    expect(result).toMatchObject({ end: 0, printed: [[SAMPLE_RESULT, SAMPLE_RESULT]], warnings: [] });
    expect(result.loads).toEqual([precompiled(output), precompiled(output)]);
  });

  it('checks the trap handler if it may not read /proc', async () => {
    const result = await run(output, LOAD + LOAD_SYNC, {
      node,
      args: [flag, `--allow-fs-read=${output.folder}/`, '--disable-wasm-trap-handler'],
    });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    expect(result.warnings).toEqual([expect.stringContaining('the trap handler is off')]);
  });

  it('checks the trap handler in a worker that has other flags', async () => {
    const result = await run(
      output,
      `
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
if (isMainThread) {
  new Worker(new URL(import.meta.url), { execArgv: [], env: { NODE_DEBUG: 'wasm-precompile' } }).on('message', print);
} else {
  parentPort.postMessage([use(await create().load()), use(create().loadSync())]);
}`,
      {
        node,
        args: [flag, '--allow-worker', `--allow-fs-read=${output.folder}/`],
        env: { NODE_OPTIONS: '--disable-wasm-trap-handler' },
      },
    );
    expect(result).toMatchObject({ end: 0, printed: [[SAMPLE_RESULT, SAMPLE_RESULT]] });
    expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual(
      times(2, ['compiled', expect.stringContaining('the trap handler is off')]),
    );
  });

  it('throws an error with the artifact and the permission if it may not read the artifact', async () => {
    const elsewhere = await build(path.join(folder, `elsewhere-${version}`), SAMPLE, [node]);
    const artifact = writeFile(elsewhere, elsewhere.bytes);
    const result = await run(output, LOAD_ERROR, {
      node,
      args: [flag, `--allow-fs-read=${output.folder}/`],
      artifact,
    });
    expect(result).toMatchObject({ end: 0, loads: [], warnings: [] });
    expect(result.printed).toEqual(times(2, { code: 'ERR_ACCESS_DENIED', message: expect.any(String) }));
    for (const { message } of result.printed as { message: string }[]) {
      expect(message).toContain(`${artifact}: cannot read this artifact`);
      expect(message).toMatch(/Access to this API has been restricted|--allow-fs-read/);
    }
  });
});
