/**
 * Loads with little memory never compute other results. A load takes no more memory than README and
 * docs/internals/decisions/memory-and-time.md say.
 */
import { closeSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_RESULT } from '../v8/modules.ts';
import { RESVG, ROOT, SQL_JS, SWC, temporaryFolder } from '../v8/support.ts';
import { ensureNode } from '../support/nodes.ts';
import { bulkySample } from './modules.ts';
import {
  createProgram,
  NODE_26,
  NODES,
  type Program,
  type Result,
  run,
  runCommand,
  segmentFor,
  writeCopy,
  writeScript,
} from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, bulkySample());

/** MiB that a load may need in addition to plain wasm: native code, the runtime, its checks. */
const MARGIN = 64;

const TRIES = 4;

/** Bytes of address space that are enough for every Node, and bytes of a file that does not fit into it. */
const LIMIT = 2 ** 36;
const MORE_THAN_THERE_IS = 2 ** 38;

/** Returns whether a run ended with the right result. Expects that a failed run prints no result. */
const succeeded = ({ end, printed, stderr }: Result): boolean => {
  if (end !== 0) {
    expect(printed).toEqual([]);
    return false;
  }
  expect(printed, stderr).toEqual([SAMPLE_RESULT]);
  return true;
};

describe.each(NODES)('address space runs out in Node $version', ({ node }) => {
  let program: Program;
  beforeAll(async () => {
    program = await createProgram(path.join(folder, 'sample'), SAMPLE);
  });

  /** Runs with `limit` MiB of address space. */
  const attempt = (script: string, limit: number): Promise<Result> =>
    run(program, script, { node, limit: `ulimit -v ${limit * 1024}` });

  /** Returns whether at least one of several runs succeeds. */
  const some = async (script: string, limit: number): Promise<boolean> => {
    for (let tries = 0; tries < TRIES; tries++) if (succeeded(await attempt(script, limit))) return true;
    return false;
  };

  /** Returns whether all of several runs succeed. */
  const every = async (script: string, limit: number): Promise<boolean> => {
    for (let tries = 0; tries < TRIES; tries++) if (!succeeded(await attempt(script, limit))) return false;
    return true;
  };

  it.each([
    {
      kind: 'an asynchronous load',
      script: 'print(use(await create().load()));',
      // `readFile` and `compile` start threads, which take address space, too.
      plain: `
const bytes = await fs.promises.readFile(file);
print(use(await WebAssembly.compile(bytes.subarray(manifest.wire.offset, manifest.wire.offset + manifest.wire.size))));`,
    },
    {
      kind: 'a synchronous load',
      script: 'print(use(create().loadSync()));',
      plain: 'print(use(compilePlain()));',
    },
  ])('$kind works with every tested limit with which plain wasm works', async ({ script, plain }) => {
    // Find the smallest limit with which plain wasm works, in MiB.
    let [low, high] = [256, 40_000];
    while (high - low > 16) {
      const middle = (low + high) >> 1;
      if (succeeded(await attempt(plain, middle))) high = middle;
      else low = middle;
    }
    for (const limit of [high + MARGIN, high + 500, high + 2000, high + 9000, high + 12_000, high + 22_000]) {
      // So near to the limit, Node itself succeeds in one run and fails in the next.
      const fails = !(await some(script, limit)) && (await every(plain, limit));
      expect(fails, `${limit} MiB: plain wasm works`).toBe(false);
    }
    // With less, it may fail, but must not compute a wrong result.
    for (const limit of [high - 64, high - 16, high, high + 8, high + 16, high + 32]) {
      succeeded(await attempt(script, limit));
    }
  });
});

describe.each(NODES)('memory that cannot be allocated in Node $version', ({ node }) => {
  let program: Program;
  beforeAll(async () => {
    program = await createProgram(path.join(folder, 'sample'), SAMPLE);
  });

  it.each([
    { how: 'mapping', mapped: true },
    { how: 'reading', mapped: false },
  ])('is a missing segment and no crash when $how', async ({ mapped }) => {
    const artifact = writeCopy(program, program.bytes);
    // This takes address space only: neither the sparse file nor the segments use disk or memory.
    truncateSync(artifact, MORE_THAN_THERE_IS);
    const writer = mapped ? undefined : openSync(artifact, 'r+');
    const result = await run(
      program,
      `
const ranges = [fileRanges[0], { offset: 0, size: ${MORE_THAN_THERE_IS} }];
for (const contents of [addon.map(file, ranges)(), await addon.mapAsync(file, ranges, 1)]) {
  print([contents.mapped, contents.segments.length, contents.segments[0].byteLength === fileRanges[0].size, 1 in contents.segments]);
  addon.release(contents);
}`,
      { node, artifact, limit: `ulimit -v ${LIMIT / 1024}` },
    );
    if (writer !== undefined) closeSync(writer);
    const one = [mapped, 1, true, false];
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [one, one] });
  });
});

describe('without checking the results of mmap and malloc', () => {
  it.each([
    { what: 'mmap', call: `libc.mmap(None, ${MORE_THAN_THERE_IS}, 3, 0x22, -1, 0)` },
    { what: 'malloc', call: `libc.malloc(${MORE_THAN_THERE_IS})` },
  ])('a process dies when it uses the result of a failed $what', async ({ call }) => {
    const script = `import ctypes, resource
resource.setrlimit(resource.RLIMIT_AS, (${LIMIT}, ${LIMIT}))
libc = ctypes.CDLL(None)
libc.mmap.restype = libc.malloc.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.malloc.argtypes = [ctypes.c_size_t]
ctypes.memset(${call}, 1, 1)`;
    expect((await runCommand('python3', ['-c', script])).end).toBe('SIGSEGV');
  });
});

const MODULES = [
  {
    name: 'sql.js',
    wasm: SQL_JS,
    use: `
import initSqlJs from '${path.join(ROOT, 'node_modules/sql.js/dist/sql-wasm.js')}';
const SQL = await initSqlJs({
  instantiateWasm(imports, done) {
    module.then((compiled) => done(new WebAssembly.Instance(compiled, imports)));
    return {};
  },
});
const db = new SQL.Database();
db.run('CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2), (3, 4)');
print(db.exec('SELECT sum(a * b) FROM t')[0].values[0][0]);`,
    result: 14,
  },
  {
    name: 'resvg',
    wasm: RESVG,
    use: `
import { initWasm, Resvg } from '${path.join(ROOT, 'node_modules/@resvg/resvg-wasm/index.mjs')}';
await initWasm(await module);
print(new Resvg('<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><circle r="7"/></svg>').render().width);`,
    result: 20,
  },
];

const MIB = 1024;

/** Returns the least peak of resident memory of several runs, in KiB. `use` prints one value first. */
async function peak(
  program: Program,
  {
    node,
    load,
    use,
    result,
    how,
  }: { node: string; load: string; use: string; result: unknown; how: string[] },
): Promise<number> {
  const peaks = [];
  for (let times = 0; times < 5; times++) {
    const { end, printed, loads, stderr } = await run(
      program,
      `const module = ${load};
${use}
print(Number(/VmHWM:\\s+(\\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]));`,
      { node },
    );
    expect({ end, first: printed[0] }, stderr).toEqual({ end: 0, first: result });
    expect(loads.map((line) => `${line.how} ${line.access}`)).toEqual(how);
    peaks.push(Number(printed[1]));
  }
  return Math.min(...peaks);
}

/** A program without the plugin. */
const baseline = (wasm: string) => ({
  load: `fs.promises.readFile(${JSON.stringify(wasm)}).then((bytes) => WebAssembly.compile(bytes))`,
  how: [],
});
const ASYNCHRONOUS = { load: 'create().load()', how: ['precompiled mapped'] };
const SYNCHRONOUS = { load: 'Promise.resolve(create().loadSync())', how: ['precompiled mapped'] };

describe.each(MODULES)('the peak of memory with $name', ({ name, wasm, use, result }) => {
  it('exceeds that of plain wasm by no more than the native code', async () => {
    const program = await createProgram(path.join(folder, name), wasm, [NODE_26]);
    const common = { node: NODE_26, use, result };
    const plain = await peak(program, { ...common, ...baseline(wasm) });
    const allowed = plain + segmentFor(program, '14.6').size / 1024;
    expect(await peak(program, { ...common, ...ASYNCHRONOUS })).toBeLessThan(allowed);
    expect(await peak(program, { ...common, ...SYNCHRONOUS })).toBeLessThan(allowed);
  });
});

const USE_SWC = `
import initSwc, { transformSync } from '${path.join(ROOT, 'node_modules/@swc/wasm-web/wasm.js')}';
await initSwc({ module_or_path: await module });
print(transformSync('enum Unit { Celsius }', { jsc: { parser: { syntax: 'typescript' } } }).code.length > 100);`;

describe.each([
  { version: '24', v8: '13.6' },
  { version: '26', v8: '14.6' },
] as const)('the peak of memory with swc in Node $version', ({ version, v8 }) => {
  it('exceeds that of plain wasm by little more than the native code, and by less after training', async () => {
    const node = await ensureNode(version);
    const all = await createProgram(path.join(folder, `swc-${version}`), SWC, [node]);
    const common = { node, use: USE_SWC, result: true };
    const profile = path.join(all.folder, 'profile');
    const script = writeScript(all, `const module = create().load();${USE_SWC}`);
    await execa(process.execPath, [
      path.join(ROOT, 'dist/cli/index.js'),
      'train',
      '-o',
      profile,
      '--',
      node,
      script,
    ]);
    const trained = await createProgram(path.join(folder, `swc-${version}-trained`), SWC, [node], profile);

    const plain = await peak(all, { ...common, ...baseline(SWC) });
    for (const load of [ASYNCHRONOUS, SYNCHRONOUS]) {
      for (const program of [all, trained]) {
        const { size } = segmentFor(program, v8);
        expect(await peak(program, { ...common, ...load })).toBeLessThan(
          // Pages that V8 has copied are dropped every 2 milliseconds, so those copied meanwhile are resident twice.
          // They are more if the kernel holds the file in large pages. An asynchronous load also needs its worker.
          plain + size / 1024 + (load === ASYNCHRONOUS ? 26 : 16) * MIB,
        );
      }
      expect(await peak(trained, { ...common, ...load })).toBeLessThan(1.3 * plain);
    }
  });
});
