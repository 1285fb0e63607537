/**
 * V8's locks measure the processor's frequency, which takes 3 ms: a thread of the native addon does so early
 * (clock.h).
 */
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { addonFile } from '../../src/addon/files.ts';
import { ABI, NODES } from './support.ts';

/** Counts the threads that loading the addon starts, and waits until they have ended, for 30 s at most. */
const SCRIPT = `
const count = () => fs.readdirSync('/proc/self/task').length;
const before = count();
process.dlopen({ exports: {} }, process.argv.at(-1));
const started = count() - before;
const deadline = performance.now() + 30_000;
(function poll() {
  const left = count() - before;
  if (left !== 0 && performance.now() < deadline) setTimeout(poll, 10);
  else console.log(JSON.stringify([started, left]));
})();
`;

describe.each(NODES)('in Node $version', ({ version, node }) => {
  // Node's own threads neither start nor end by themselves.
  const load = async (command: string, ...args: string[]) => {
    const file = addonFile({ platform: process.platform, arch: process.arch, abi: ABI[version] ?? '' });
    const { stdout } = await execa(command, [...args, '-e', SCRIPT, file]);
    return JSON.parse(stdout) as unknown;
  };

  it('measures in a thread, which ends, if V8 would measure', async () => {
    const measures = process.platform === 'linux' && process.arch === 'x64' && Number(version) > 22;
    // On a busy machine the thread may end before the process counts: another process may see it.
    await expect.poll(() => load(node), { timeout: 60_000 }).toEqual([measures ? 1 : 0, 0]);
  });

  it('starts no thread if address space is limited', async () => {
    const script = 'ulimit -v 200000000; exec "$0" "$@"';
    expect(await load('sh', '-c', script, node)).toEqual([0, 0]);
  });
});
