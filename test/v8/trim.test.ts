/** V8 must accept native code that was parsed, reassembled and trimmed, and compute the same. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { findExecuted } from '../../src/v8/executed.ts';
import { type FunctionCounts, type NativeLayout, parseNativeCode } from '../../src/v8/layout.ts';
import { mixNativeCode, type RecordChoice, trimNativeCode } from '../../src/v8/records.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { runNative } from '../support/native-run.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { WORKLOADS } from '../support/workloads.js';
import { sample, smallest } from './modules.ts';
import { damage, randomNumbers } from './random.ts';
import { compile, onlyNative, temporaryFolder } from './support.ts';

const folder = temporaryFolder();

/** Files of hand-written modules. */
const SMALL = { sample: path.join(folder, 'sample.wasm'), smallest: path.join(folder, 'smallest.wasm') };
writeFileSync(SMALL.sample, sample());
writeFileSync(SMALL.smallest, smallest());

/** Emscripten, Rust, Rust, Go. */
const PACKAGES = Object.keys(WORKLOADS);

/** Number of damaged copies of each module's native code; large ones take longer to parse. */
const DAMAGES = { sample: 4000, smallest: 4000, 'sql.js': 300, '@resvg/resvg-wasm': 100 };

interface Case {
  code: Uint8Array;
  v8: string;
  counts: FunctionCounts;
  wire: string;
}

/** Expects the properties of every layout, computed from the bytes. */
function expectConsistent(
  layout: NativeLayout,
  code: Uint8Array,
  { importedFunctions, functions }: FunctionCounts,
) {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const { records, recordsOffset, budgetsOffset, codeSizeSumOffset } = layout;
  let offset = recordsOffset;
  let sum = 0;
  const wrong: unknown[] = [];
  for (const [declared, record] of records.entries()) {
    const byte = { lazy: 2, eager: 3, optimised: 4 }[record.kind];
    const consistent =
      record.index === importedFunctions + declared &&
      record.offset === offset &&
      code[offset] === byte &&
      record.tieringBudget === view.getUint32(budgetsOffset + 4 * declared, true);
    if (!consistent) wrong.push(record);
    offset += record.size;
    if (record.kind !== 'optimised') {
      if (record.size !== 1) wrong.push(record);
      continue;
    }
    const { instructions, codeSize } = record;
    const inside =
      instructions.index === record.index &&
      instructions.size > 0 &&
      instructions.size <= codeSize &&
      instructions.offset > record.offset &&
      instructions.offset + codeSize <= offset;
    if (!inside) wrong.push(record);
    sum += codeSize;
  }
  expect(wrong).toEqual([]);
  expect(records).toHaveLength(functions);
  expect(offset).toBe(budgetsOffset);
  expect(budgetsOffset + functions * 4).toBe(code.length);
  expect(view.getBigUint64(codeSizeSumOffset, true)).toBe(BigInt(sum));
}

describe.each(NODE_VERSIONS)('native code of Node %s', (version) => {
  const cases = new Map<string, Case>();
  let node: string;

  const find = (name: string): Case => cases.get(name) ?? expect.fail(`${name} was not compiled`);
  const parse = ({ code, v8, counts }: Case) =>
    parseNativeCode(code, v8, counts) ?? expect.fail('its layout is unknown');
  const trim = ({ code, v8, counts }: Case, keep: ReadonlySet<number>) =>
    trimNativeCode(code, v8, counts, keep) ?? expect.fail('its layout is unknown');
  const indices = (name: string) => parse(find(name)).records.map(({ index }) => index);

  let files = 0;
  /** Runs the module's workload in a fresh process. */
  const run = async (name: string, code?: Uint8Array, serialize?: string) => {
    const native = code && path.join(folder, `${version}-${files++}.native`);
    if (native) writeFileSync(native, code);
    const job = { workload: name, wire: find(name).wire, calls: 2, native };
    const { digest, same, tieredUp } = await runNative(node, serialize ? { ...job, serialize } : job);
    expect(same).toBe(true);
    return { digest, tieredUp };
  };

  beforeAll(async () => {
    node = await ensureNode(version);
    const sources = {
      ...SMALL,
      ...Object.fromEntries(PACKAGES.map((name) => [name, WORKLOADS[name]?.wasm ?? ''])),
    };
    for (const [name, file] of Object.entries(sources)) {
      const compiled = await compile(file, { targets: [node] });
      const native = onlyNative(compiled);
      const wire = path.join(folder, `${version}-${name.replaceAll('/', '-')}.wire`);
      writeFileSync(wire, compiled.contents.wire);
      const { importedFunctions, functions } = readModule(compiled.contents.wire, file);
      cases.set(name, {
        code: native.bytes,
        v8: native.engine.slice('v8-'.length),
        counts: { importedFunctions, functions },
        wire,
      });
    }
    // Go's and swc's modules take half a minute each the first time.
  }, 600_000);

  it.each([...Object.keys(SMALL), ...PACKAGES])('%s is parsed and reassembled to the same bytes', (name) => {
    const one = find(name);
    const layout = parse(one);
    expectConsistent(layout, one.code, one.counts);
    expect(layout.records.every(({ kind }) => kind === 'optimised')).toBe(true);
    expect(new Set(layout.records.map(({ tieringBudget }) => tieringBudget)).size).toBe(1);
    expect(Buffer.compare(trim(one, new Set(indices(name))), one.code)).toBe(0);
  });

  it.each([...Object.keys(SMALL), ...PACKAGES])('%s can be trimmed to any of its functions', (name) => {
    const random = randomNumbers(5);
    for (const share of [0, 1, 2, 9]) {
      const one = find(name);
      const keep = new Set(indices(name).filter(() => random(10) < share));
      const code = trim(one, keep);
      const layout = parse({ ...one, code });
      expectConsistent(layout, code, one.counts);
      expect(layout.records.filter(({ kind }) => kind === 'optimised').map(({ index }) => index)).toEqual([
        ...keep,
      ]);
      const before = parse(one).records;
      const changed = layout.records.filter(({ kind, offset, size }, i) => {
        const old = before[i];
        if (!old) return true;
        const bytes = Buffer.from(code.buffer, code.byteOffset + offset, size);
        return kind === 'optimised'
          ? bytes.compare(one.code, old.offset, old.offset + old.size) !== 0
          : !bytes.equals(Buffer.of(2));
      });
      expect(changed).toEqual([]);
    }
  });

  it('ignores functions that the module does not declare', () => {
    const one = find('sample');
    const [first = expect.fail()] = indices('sample');
    expect(trim(one, new Set([first, 0, -1, 1e9, 0.5]))).toEqual(trim(one, new Set([first])));
  });

  it.each(PACKAGES)('%s works with none, one, half, and the executed ones of its functions', async (name) => {
    const plain = await run(name);
    const one = find(name);
    const all = indices(name);
    const trained = path.join(folder, `${version}.trained`);
    const { tieredUp } = await run(name, undefined, trained);
    const code = readFileSync(trained);
    const executed =
      findExecuted(code, one.v8, one.counts, new Set(tieredUp)) ?? expect.fail('layout unknown');
    expectConsistent(parse({ ...one, code }), code, one.counts);
    expect(executed.length).toBeGreaterThan(all.length / 100);
    expect(executed.length).toBeLessThan(all.length / 2);

    const random = randomNumbers(3);
    const subsets = [
      // Programs in Go start slowly without native code.
      ...(name === 'esbuild-wasm' ? [] : [[], all.slice(-1)]),
      all.filter(() => random(2) === 0),
      executed.map(({ index }) => index),
    ];
    for (const subset of subsets) {
      const { digest } = await run(name, trim(one, new Set(subset)));
      expect(digest, `${subset.length} of ${all.length} functions`).toBe(plain.digest);
    }
  });

  it('works when mixed with code that V8 has optimised in a run', async () => {
    const name = 'sql.js';
    const plain = await run(name);
    const one = find(name);
    const trained = path.join(folder, `${version}-mix.trained`);
    const { tieredUp } = await run(name, undefined, trained);
    const other = readFileSync(trained);
    const hot = new Set(tieredUp);
    const random = randomNumbers(11);
    const others: RecordChoice[] = ['base', 'lazy', 'eager'];
    const mixed =
      mixNativeCode(one.code, other, one.v8, one.counts, (index) =>
        hot.has(index) ? 'other' : (others[random(3)] ?? 'base'),
      ) ?? expect.fail('they cannot be mixed');
    const layout = parse({ ...one, code: mixed });
    expectConsistent(layout, mixed, one.counts);
    expect(new Set(layout.records.map(({ kind }) => kind))).toEqual(new Set(['optimised', 'lazy', 'eager']));
    expect((await run(name, mixed)).digest).toBe(plain.digest);

    // Not the other way round: code of a run relies on its imports.
    expect(mixNativeCode(other, one.code, one.v8, one.counts, () => 'base')).toBeUndefined();
    const flags = Buffer.from(other);
    flags.writeUInt8(flags.readUInt8(12) ^ 1, 12);
    expect(mixNativeCode(one.code, flags, one.v8, one.counts, () => 'base')).toBeUndefined();
  });

  it.each(Object.entries(DAMAGES))(
    '%s, damaged %i times, never parses to an impossible layout',
    (name, times) => {
      const random = randomNumbers(times);
      const one = find(name);
      // Trims large modules, which also gives them several kinds of records.
      const intact =
        times < 1000 ? trim(one, new Set(indices(name).filter((index) => index % 8 === 0))) : one.code;
      let accepted = 0;
      for (let time = 0; time < times; time++) {
        const code = damage(intact, random);
        const layout = parseNativeCode(code, one.v8, one.counts);
        if (!layout) {
          expect(trimNativeCode(code, one.v8, one.counts, new Set())).toBeUndefined();
          expect(findExecuted(code, one.v8, one.counts)).toBeUndefined();
          continue;
        }
        accepted++;
        expectConsistent(layout, code, one.counts);
        const all = new Set(layout.records.map(({ index }) => index));
        expect(Buffer.compare(trim({ ...one, code }, all), code)).toBe(0);
        parse({ ...one, code: trim({ ...one, code }, new Set()) });
      }
      // Changes of machine code and of budgets cannot be detected, changes of sizes can.
      expect(accepted).toBeLessThan(times);
      expect(accepted).toBeGreaterThan(0);
    },
  );

  it('is unknown for any other version of V8', () => {
    const { code, counts } = find('sample');
    for (const v8 of [
      '10.2.1',
      '11.30.1',
      '12.9.1',
      '13.7.1',
      '14.7.202.1-node.1',
      '15.0.1',
      '',
      'size',
      'constructor',
    ]) {
      expect(parseNativeCode(code, v8, counts), v8).toBeUndefined();
      expect(trimNativeCode(code, v8, counts, new Set()), v8).toBeUndefined();
      expect(
        mixNativeCode(code, code, v8, counts, () => 'base'),
        v8,
      ).toBeUndefined();
      expect(findExecuted(code, v8, counts), v8).toBeUndefined();
    }
  });
});
