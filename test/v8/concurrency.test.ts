import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../../src/build/options/resolve.ts';
import { createPipeline } from '../../src/build/compile/pipeline.ts';
import { ensureNode } from '../support/nodes.ts';
import { assemble } from '../wasm/support.ts';
import { fakeNode, temporaryFolder } from './support.ts';

const folder = temporaryFolder();
const MODULES = 6;

/** A node that logs when it starts and stops. */
function recordingNode(name: string, node: string, log: string): string {
  return fakeNode(
    folder,
    name,
    node,
    `*) echo "start $command" >> '${log}'; "$node" "$@"; code=$?; echo "stop $command" >> '${log}'; exit $code ;;`,
  );
}

function highest(log: string, commands: string[]): { jobs: number; running: number } {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  let running = 0;
  let most = 0;
  let jobs = 0;
  for (const line of lines) {
    const [what, command = ''] = line.split(' ');
    if (!commands.includes(command)) continue;
    running += what === 'start' ? 1 : -1;
    if (what === 'start') jobs++;
    most = Math.max(most, running);
  }
  expect(running).toBe(0);
  return { jobs, running: most };
}

describe('compiling many modules for several targets at once', () => {
  it('runs as many processes as there are cores, and never more', async () => {
    const log = path.join(folder, 'log');
    const nodes = await Promise.all((['20.19', '22', '24'] as const).map((version) => ensureNode(version)));
    const targets = nodes.map((node, index) => recordingNode(`node-${index}`, node, log));
    // Two builds in one process share the cores.
    const pipelines = [0, 1].map(() =>
      createPipeline(resolveOptions({ targets, cache: false }), {
        warn: (message) => expect.fail(message),
        progress: { track: (_, job) => job() },
      }),
    );
    const compiled = await Promise.all(
      Array.from({ length: MODULES }, async (_, index) => {
        const file = path.join(folder, `${index}.wasm`);
        writeFileSync(file, assemble(`(module (func (export "f") (result i32) i32.const ${index}))`));
        const pipeline = pipelines[index % pipelines.length] ?? expect.fail();
        return pipeline.compile(await pipeline.read(file));
      }),
    );
    expect(compiled.map(({ native }) => native.length)).toEqual(Array(MODULES).fill(targets.length));

    const { jobs, running } = highest(log, ['compile', 'check']);
    expect(jobs).toBe(MODULES * targets.length * 2);
    expect(running).toBe(availableParallelism());
    // Each target is probed once, and a second time without features above the CPU level if it has any.
    expect(highest(log, ['probe']).jobs).toBeLessThanOrEqual(targets.length * 2);
    expect(highest(log, ['probe', 'compile', 'check']).running).toBeLessThanOrEqual(availableParallelism());
  });
});
