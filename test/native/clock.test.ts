/** V8's locks measure the processor's frequency, which takes them 3 ms: a thread of the native loader does so early (clock.h). */
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { addonFile } from '../../src/addon/files.ts';
import { ABI, NODES } from './support.ts';

/** Threads of the process: how many more there are when the native loader has come, and later. */
const SCRIPT = `
const count = () => fs.readdirSync('/proc/self/task').length;
const before = count();
process.dlopen({ exports: {} }, process.argv.at(-1));
const started = count() - before;
setTimeout(() => console.log(JSON.stringify([started, count() - before])), 500);
`;

describe.each(NODES)('in Node $version', ({ version, node }) => {
  // Of Node's own threads none starts or ends by itself.
  const load = async (command: string, ...args: string[]) => {
    const file = addonFile({ platform: process.platform, arch: process.arch, abi: ABI[version] ?? '' });
    const { stdout } = await execa(command, [...args, '-e', SCRIPT, file]);
    return JSON.parse(stdout) as unknown;
  };

  it('a thread measures where V8 would, and ends', async () => {
    const measures = process.platform === 'linux' && process.arch === 'x64' && Number(version) > 22;
    expect(await load(node)).toEqual([measures ? 1 : 0, 0]);
  });

  it('none does where address space is limited', async () => {
    const script = 'ulimit -v 200000000; exec "$0" "$@"';
    expect(await load('sh', '-c', script, node)).toEqual([0, 0]);
  });
});
