/**
 * Code that V8 has optimised in a run speculates on calls of the run (inlined callees, targets of indirect calls).
 * Mixed with code compiled ahead of time, it must compute the same in another process with other calls.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { findExecuted } from '../../src/v8/executed.ts';
import { parseNativeCode } from '../../src/v8/layout.ts';
import { mixNativeCode } from '../../src/v8/records.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { addonOf } from '../support/native-run.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { assemble } from '../wasm/support.ts';
import { compile, onlyNative, ROOT, temporaryFolder } from './support.ts';

const folder = temporaryFolder();

/**
 * `run` calls the function in a slot of the table n times; slot 2 traps above 1000. `waves` calls an import. That is
 * `Math.sin` in training, which V8 13 and later compile to an instruction, and another function afterwards.
 */
const SPECULATING = path.join(folder, 'speculating.wasm');
writeFileSync(
  SPECULATING,
  assemble(`
(module
  (import "env" "twice" (func $twice (param i32) (result i32)))
  (import "env" "wave" (func $wave (param f64) (result f64)))
  (type $unary (func (param i32) (result i32)))
  (table funcref (elem $increment $triple $limited $imported))
  (func $increment (param i32) (result i32) local.get 0 i32.const 1 i32.add)
  (func $triple (param i32) (result i32) local.get 0 i32.const 3 i32.mul i32.const 7 i32.xor)
  (func $limited (param i32) (result i32)
    local.get 0 i32.const 1000 i32.gt_s if unreachable end
    local.get 0 i32.const 2 i32.add)
  (func $imported (param i32) (result i32) local.get 0 call $twice)
  (func $run (export "run") (param $n i32) (param $slot i32) (result i32) (local $value i32)
    loop $next
      local.get $value local.get $slot call_indirect (type $unary) local.set $value
      local.get $n i32.const 1 i32.sub local.tee $n
      br_if $next
    end
    local.get $value)
  (func $turns (export "turns") (param $n i32) (result i32) (local $value i32)
    loop $next
      local.get $value
      local.get $n local.get $n i32.const 1 i32.and call $run
      i32.add
      local.set $value
      local.get $n i32.const 1 i32.sub local.tee $n
      br_if $next
    end
    local.get $value)
  (func $waves (export "waves") (param $n i32) (result f64) (local $value f64)
    loop $next
      local.get $n f64.convert_i32_s call $wave local.get $value f64.add local.set $value
      local.get $n i32.const 1 i32.sub local.tee $n
      br_if $next
    end
    local.get $value)
)`),
);

type Call = [name: string, ...values: number[]];

/** Trained calls, then new targets, a trap in a function that may be inlined, and all of them again. */
const CALLS: Call[] = [
  ['run', 1000, 0],
  ['run', 1000, 1],
  ['run', 100, 2],
  ['run', 20, 3],
  ['run', 2000, 2],
  ['run', 10, 9],
  ['run', 100_000, 0],
  ['run', 100_000, 1],
  ['run', 3_000_000, 0],
  ['run', 3_000_000, 1],
  ['run', 2000, 2],
  ['waves', 100],
];

const USE = `
const [file, native, addonFile, calls] = process.argv.slice(1);
const { readFileSync } = require('node:fs');
const { setFlagsFromString } = require('node:v8');
const wire = readFileSync(file);
let module;
if (!native) {
  module = new WebAssembly.Module(wire);
} else if (Number.parseFloat(process.versions.v8) < 14) {
  setFlagsFromString('--allow-natives-syntax');
  const deserialize = require('node:vm').runInThisContext('(function (c, w) { return %DeserializeWasmModule(c, w) })');
  setFlagsFromString('--no-allow-natives-syntax');
  module = deserialize(new Uint8Array(readFileSync(native)).buffer, new Uint8Array(wire));
} else {
  const addon = { exports: {} };
  process.dlopen(addon, addonFile);
  const result = addon.exports.deserialize({}, new Uint8Array(readFileSync(native)).buffer, new Uint8Array(wire).buffer);
  module = result.accepted ? result.module : undefined;
}
const { exports } = new WebAssembly.Instance(module, { env: { twice: (value) => value * 2, wave: (value) => value * 3 } });
console.log(JSON.stringify(JSON.parse(calls).map(([name, ...values]) => {
  try {
    return exports[name](...values);
  } catch (error) {
    // The functions and the positions in them.
    return error.stack.split('\\n').filter((line) => !line.includes('file:') && !line.includes('[eval]')).join();
  }
})));
`;

describe.each(NODE_VERSIONS)('code optimised by a run of Node %s', (version) => {
  let node: string;
  let addon: string;
  beforeAll(async () => {
    node = await ensureNode(version);
    addon = (await addonOf(node)) ?? '';
  });

  const use = async (native: string): Promise<unknown> => {
    const { stdout } = await execa(node, ['-e', USE, SPECULATING, native, addon, JSON.stringify(CALLS)]);
    return JSON.parse(stdout);
  };

  /** Mixes the run's records of hot functions with code compiled ahead of time for all others. */
  const mix = async (hotCall: Call, hotFunction: number) => {
    const compiled = await compile(SPECULATING, { targets: [node] });
    const { wire } = compiled.contents;
    const { bytes, engine } = onlyNative(compiled);
    const v8 = engine.slice('v8-'.length);
    const { importedFunctions, functions } = readModule(wire, SPECULATING);
    const counts = { importedFunctions, functions };
    const module = path.join(folder, 'module.wasm');
    writeFileSync(module, wire);

    const trained = path.join(folder, `${version}.trained`);
    const lists = [[], ['turns'], hotCall].map((list) => JSON.stringify(list));
    await execa(node, [path.join(ROOT, 'test/v8/train.js'), module, trained, addon, ...lists]);
    const code = readFileSync(trained);
    const executed = findExecuted(code, v8, counts) ?? expect.fail('the layout is unknown');
    const hot = new Set(executed.filter(({ optimised }) => optimised).map(({ index }) => index));
    expect(hot).toContain(importedFunctions + hotFunction);

    const mixed =
      mixNativeCode(bytes, code, v8, counts, (index) => (hot.has(index) ? 'other' : 'base')) ??
      expect.fail('they cannot be mixed');
    const layout = parseNativeCode(mixed, v8, counts) ?? expect.fail('the layout is unknown');
    return { mixed, layout };
  };

  const write = (code: Uint8Array): string => {
    const file = path.join(folder, `${version}.native`);
    writeFileSync(file, code);
    return file;
  };

  it.each([0, 1])('computes the same after speculating on slot %i', async (slot) => {
    const { mixed } = await mix(['run', 1_000_000, slot], 4);
    const plain = await use('');
    expect(plain).toEqual(expect.arrayContaining([1000, expect.stringContaining('unreachable'), 15_150]));
    expect(await use(write(mixed))).toEqual(plain);
  });

  it('computes the same with other imports than in the run', async () => {
    const { mixed, layout } = await mix(['waves', 100_000], 6);
    const plain = await use('');
    expect(await use(write(mixed))).toEqual(plain);

    // The header lists the imports that the code relies on. Without it, V8 would still use Math.sin.
    if (version === '24' || version === '26') {
      mixed.fill(0, layout.importStatusesOffset, layout.recordsOffset);
      const results = await use(write(mixed));
      expect(results).toHaveLength(CALLS.length);
      expect(results).not.toEqual(plain);
    }
  });
});
