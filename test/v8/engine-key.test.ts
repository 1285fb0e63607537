/** The engine key, and the V8 flags and environment that it depends on. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { formatEngineKey, shortVersion } from '../../src/v8/engine-key.ts';
import { ensureNode } from '../support/nodes.ts';
import { sample } from './modules.ts';
import { compile, fakeNode, onlyNative, PRECOMPILING, temporaryFolder } from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, sample());

afterEach(() => {
  vi.unstubAllEnvs();
});

const SHOW_ENGINE = `
const { versions, platform, arch } = process;
const flagHash = new (require('node:vm').Script)('0').createCachedData().readUInt32LE(12);
console.log(JSON.stringify({ version: versions.v8, platform, arch, flagHash }));
`;

/** Returns the properties of a process for its engine key. */
function describeProcess(node: string, ...flags: string[]) {
  const output = execFileSync(node, [...flags, '-e', SHOW_ENGINE], { encoding: 'utf8', env: {} });
  return JSON.parse(output) as { version: string; platform: string; arch: string; flagHash: number };
}

describe('formatEngineKey', () => {
  const key = {
    version: '13.6.233.17-node.53',
    platform: 'linux',
    arch: 'x64',
    cpuFeatures: 0x23eff,
    flagHash: 0x823df6f1,
  };

  it('names engine, version, platform, architecture, CPU features and flag hash', () => {
    expect(formatEngineKey(key)).toBe('v8-13.6.233.17-node.53-linux-x64-00023eff-823df6f1');
    expect(shortVersion(key)).toBe('v8-13.6.233.17');
  });

  it('writes words as 8 hexadecimal digits, also those read as signed numbers', () => {
    expect(formatEngineKey({ ...key, cpuFeatures: 0, flagHash: -1 })).toMatch(/-00000000-ffffffff$/);
  });

  it('accepts versions without an embedder', () => {
    const version = '13.6.233.17';
    expect(formatEngineKey({ ...key, version })).toBe('v8-13.6.233.17-linux-x64-00023eff-823df6f1');
    expect(shortVersion({ ...key, version })).toBe('v8-13.6.233.17');
  });
});

describe.each(PRECOMPILING)('native code of Node %s', (version) => {
  it('has the engine key of a process without flags', async () => {
    const node = await ensureNode(version);
    const native = onlyNative(await compile(SAMPLE, { targets: [node] }));
    const { flagHash, ...running } = describeProcess(node);
    const header = Buffer.from(native.bytes);
    expect(header.readUInt32LE(12)).toBe(flagHash);
    expect(native.engine).toBe(
      formatEngineKey({ ...running, cpuFeatures: header.readUInt32LE(8), flagHash }),
    );
    expect(native.version).toBe(`v8-${running.version.split('-', 1)[0]}`);
  });

  it.each(['--expose-gc', '--no-enable-avx2'])(
    'has another flag hash than a process with %s',
    async (flag) => {
      const node = await ensureNode(version);
      const native = onlyNative(await compile(SAMPLE, { targets: [node] }));
      expect(describeProcess(node, flag).flagHash).not.toBe(Buffer.from(native.bytes).readUInt32LE(12));
    },
  );

  it('does not depend on the environment of the build', async () => {
    const node = await ensureNode(version);
    const plain = onlyNative(await compile(SAMPLE, { targets: [node] }));
    vi.stubEnv('NODE_OPTIONS', '--expose-gc --disable-wasm-trap-handler --throw-deprecation');
    vi.stubEnv('NODE_V8_COVERAGE', path.join(folder, 'coverage'));
    // Another path, since probed targets are cached by path.
    const target = fakeNode(folder, `node-${version}`, node, '');
    const { contents, warnings } = await compile(SAMPLE, { targets: [target], cache: false });
    expect(warnings).toEqual([]);
    expect(contents.native.map(({ engine }) => engine)).toEqual([plain.engine]);
    expect(contents.native.map(({ statistics }) => statistics)).toEqual([plain.statistics]);
  });

  it('traps through the trap handler and not through bounds checks', async () => {
    const node = await ensureNode(version);
    const { native } = (await compile(SAMPLE, { targets: [node] })).contents;
    const peek = native[0]?.functions.find(({ index }) => index === 2);
    // A function that loads from memory: a frame, one load, a return.
    expect(peek?.size).toBeLessThan(40);
  });
});
