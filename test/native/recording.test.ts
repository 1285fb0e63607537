/** A recorder in the process receives each file before V8 compiles it, and no native code is used. */
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { sample, SAMPLE_RESULT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { createProgram, newPath, NODES, outcomes, type Program, run } from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, sample());

/** A preload script that logs calls of the recorder and compilations, in their order. */
const PRELOAD = path.join(folder, 'preload.cjs');
writeFileSync(
  PRELOAD,
  `const { crc32 } = require('node:zlib');
const events = globalThis.events = [];
let recorded;
globalThis[Symbol.for('wasm-precompile.recorder')] = (wire, file) => {
  recorded = wire;
  events.push(['recorded', wire instanceof ArrayBuffer, wire.byteLength, crc32(Buffer.from(wire)), file]);
};
const { Module, compile } = WebAssembly;
WebAssembly.Module = class extends Module {
  constructor(source) {
    super(source);
    events.push(['Module', source === recorded]);
  }
};
WebAssembly.compile = (source) => {
  events.push(['compile', source === recorded]);
  return compile(source);
};
`,
);

describe.each(NODES)('in Node $version', ({ version, node }) => {
  let program: Program;
  beforeAll(async () => {
    program = await createProgram(path.join(folder, version), SAMPLE);
  });

  it('compiles an artifact without a warning, even with fallback: error', async () => {
    const result = await run(
      program,
      `for (const load of ['load', 'loadSync']) print(use(await create()[load]()));
print(events);`,
      { node, args: ['--require', PRELOAD], options: { fallback: 'error' } },
    );
    const { wire } = program.manifest;
    const recorded = ['recorded', true, wire.size, wire.crc32, program.artifact];
    expect(result, result.stderr).toMatchObject({
      end: 0,
      printed: [SAMPLE_RESULT, SAMPLE_RESULT, [recorded, ['compile', true], recorded, ['Module', true]]],
      warnings: [],
    });
    expect(outcomes(result)).toEqual(['compiled read', 'compiled read']);
    expect(result.loads.map(({ detail }) => detail)).toEqual(['recording', 'recording']);
  });

  it('reports a file that is not precompiled, too', async () => {
    const file = newPath(program, 'plain.wasm');
    copyFileSync(SAMPLE, file);
    const result = await run(
      program,
      `import { fromFile } from './runtime/node/plain.js';
const plain = ${JSON.stringify(pathToFileURL(file).href)};
for (const load of ['load', 'loadSync']) print(use(await fromFile(plain)[load]()));
print(events);`,
      { node, args: ['--require', PRELOAD] },
    );
    const recorded = ['recorded', true, sample().length, expect.any(Number), file];
    expect(result, result.stderr).toMatchObject({
      end: 0,
      printed: [SAMPLE_RESULT, SAMPLE_RESULT, [recorded, ['compile', true], recorded, ['Module', true]]],
    });
    expect(result.loads.map(({ detail }) => detail)).toEqual(['recording', 'recording']);
  });

  it('ignores a recorder that is not a function', async () => {
    const result = await run(
      program,
      `globalThis[Symbol.for('wasm-precompile.recorder')] = {};
print(use(await create().load()));`,
      { node },
    );
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT] });
    expect(outcomes(result)).toEqual(['precompiled mapped']);
  });
});
