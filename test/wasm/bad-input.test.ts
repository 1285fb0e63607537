import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { WasmPrecompileError } from '../../src/common/error.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { stripCustomSections } from '../../src/wasm/binary/strip.ts';
import { assemble, custom, engine, PREAMBLE, section } from './support.ts';

const text = (content: string) => new TextEncoder().encode(content);

/** The error that reading throws. */
function failure(bytes: Uint8Array): WasmPrecompileError {
  try {
    readModule(bytes, 'lib/x.wasm');
  } catch (error) {
    if (error instanceof WasmPrecompileError) return error;
    throw error;
  }
  throw new Error('was read');
}

describe('the error for a file that is not wasm describes the file', () => {
  test.each([
    ['an empty file', new Uint8Array(), 'Build or download it again'],
    ['an HTML or XML page', text('\n <!DOCTYPE html><html>'), 'server probably responded with an error page'],
    ['an HTML or XML page', text('\uFEFF<html>'), 'server probably responded'],
    ['a Git LFS pointer', text('version https://git-lfs.github.com/spec/v1\noid sha256:0'), 'git lfs pull'],
    ['a file compressed with gzip', gzipSync(Uint8Array.from(PREAMBLE)), 'gunzip'],
    ['a file compressed with zstd', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0), 'zstd -d'],
    ['a zip archive', text('PK\x03\x04rest'), 'Extract the .wasm file'],
    ['an ELF file', text('\x7fELF\x02\x01'), 'artifact'],
    ['LLVM bitcode', Uint8Array.of(0x42, 0x43, 0xc0, 0xde, 0), 'wasm-ld'],
    ['the WebAssembly text format', text('(module\n)'), 'wat2wasm'],
    ['the WebAssembly text format', text(';; comment\n(module)'), 'wat2wasm'],
    ['wasm in base64', text('AGFzbQEAAAA='), 'base64 -d'],
    ['text that starts with "{\\"error\\":404}"', text('{"error":404}'), 'brotli'],
    ['8b 02 80 00 61 73 6d 01', Uint8Array.of(0x8b, 2, 0x80, 0, 0x61, 0x73, 0x6d, 1, 0), 'brotli'],
  ])('%s', (found, bytes, advice) => {
    const { code, message } = failure(bytes);
    expect(code).toBe('INVALID_WASM');
    expect(message).toContain(
      `lib/x.wasm: expected a WebAssembly binary (magic number 00 61 73 6d) at offset 0x0 (preamble), found ${found}. `,
    );
    expect(message).toContain(advice);
  });
});

describe('readModule reports as unsupported', () => {
  test.each([
    ['a component', [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0], 'found a component (layer 1). Turn it into', 0x4],
    ['another version', [0, 0x61, 0x73, 0x6d, 2, 0, 0, 0], 'found version 2, layer 0', 0x4],
    ['an unknown section', [...PREAMBLE, ...section(42)], 'a section id from 0 to 13', 0x8],
    ['an unknown type', [...PREAMBLE, ...section(1, 1, 0x5d, 0)], 'function, struct or array type', 0xb],
    ['an unknown value type', [...PREAMBLE, ...section(1, 1, 0x60, 1, 0x67, 0)], 'a value type', 0xd],
    ['an unknown heap type', [...PREAMBLE, ...section(1, 1, 0x60, 1, 0x63, 0x67, 0)], 'a heap type', 0xe],
    ['an unknown kind of import', [...PREAMBLE, ...section(2, 1, 0, 0, 0x20, 0)], 'an external kind', 0xd],
    ['an unknown kind of memory', [...PREAMBLE, ...section(5, 1, 0x10, 0)], 'the flags of limits', 0xb],
    ['large pages', [...PREAMBLE, ...section(5, 1, 8, 0, 17)], 'a page size', 0xd],
    ['a shared table', [...PREAMBLE, ...section(4, 1, 0x70, 3, 0, 1)], 'the flags of limits', 0xc],
    ['a shared global', [...PREAMBLE, ...section(6, 1, 0x7f, 3, 0x41, 0, 0x0b)], 'a mutability', 0xc],
    [
      'an unknown instruction',
      [...PREAMBLE, ...section(6, 1, 0x7f, 0, 0x20, 0, 0x0b)],
      'an instruction',
      0xd,
    ],
  ])('%s', (_, bytes, expected, offset) => {
    const { code, message } = failure(Uint8Array.from(bytes));
    expect(code).toBe('UNSUPPORTED_WASM');
    expect(message).toMatch(/^lib\/x\.wasm: /);
    expect(message).toContain(expected);
    expect(message).toContain(` at offset 0x${offset.toString(16)} (`);
  });

  test('the error for a component suggests two solutions', () => {
    const { message } = failure(Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0));
    expect(message).toContain('jco transpile');
    expect(message).toContain('wasm-tools component unbundle');
  });
});

const func = section(1, 1, 0x60, 0, 0);
const long = [0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];

describe('readModule reports as damaged', () => {
  test.each([
    ['a preamble that is cut off', [0, 0x61, 0x73, 0x6d, 1], 'a preamble of 8 bytes', 0x5],
    ['a magic number that is cut off', [0, 0x61], 'a preamble of 8 bytes', 0x2],
    ['a section header that is cut off', [...PREAMBLE, 1], 'the size of the type section', 0x9],
    ['a section that is cut off', [...PREAMBLE, 10, 99, 1], '99 bytes of the code section', 0xa],
    ['a size that is too long', [...PREAMBLE, 1, ...long], 'the size of the type section', 0x9],
    ['a size of more than 32 bits', [...PREAMBLE, 1, 0xff, 0xff, 0xff, 0xff, 0x1f], 'more than 32 bits', 0x9],
    ['a section twice', [...PREAMBLE, ...func, ...func], 'found a second one', 0xe],
    ['sections out of order', [...PREAMBLE, ...section(3, 0), ...func], 'before the function section', 0xb],
    ['an empty section', [...PREAMBLE, 1, 0], 'the count of types', 0xa],
    ['a section with more bytes than elements', [...PREAMBLE, ...section(1, 0, 0)], '1 more bytes', 0xb],
    ['a custom section without a name', [...PREAMBLE, 0, 0], 'the size of the name of a custom', 0xa],
    ['a custom section with half a name', [...PREAMBLE, 0, 2, 9, 0x61], 'the name of a custom section', 0xb],
    ['a custom section named in Latin-1', [...PREAMBLE, 0, 2, 1, 0xe4], 'in UTF-8', 0xb],
    ['an export named in Latin-1', [...PREAMBLE, ...section(7, 1, 1, 0xe4, 0, 0)], 'in UTF-8', 0xc],
    ['a count of types', [...PREAMBLE, ...section(1, ...huge)], 'at most 0 types', 0xa],
    ['a count of parameters', [...PREAMBLE, ...section(1, 1, 0x60, ...huge)], 'at most 0 parameters', 0xc],
    ['a count of functions', [...PREAMBLE, ...func, ...section(3, ...huge)], 'at most 0 functions', 0x10],
    ['a count of exports', [...PREAMBLE, ...section(7, 9, 0)], 'at most 0 exports in the 1 bytes', 0xa],
    ['a missing type', [...PREAMBLE, ...func, ...section(2, 1, 0, 0, 0, 1)], 'index below 1', 0x14],
    [
      'a reference to no type',
      [...PREAMBLE, ...section(6, 1, 0x63, 0, 0, 0xd0, 0, 0x0b)],
      'index below 0',
      0xc,
    ],
    ['a missing function', [...PREAMBLE, ...section(7, 1, 0, 0, 0)], 'function index below 0', 0xd],
    ['a missing memory', [...PREAMBLE, ...section(7, 1, 0, 2, 3)], 'memory index below 0', 0xd],
    [
      'a function of struct type',
      [...PREAMBLE, ...section(1, 1, 0x5f, 0), ...section(2, 1, 0, 0, 0, 0)],
      'of struct type',
      0x13,
    ],
    ['a global without an end', [...PREAMBLE, ...section(6, 1, 0x7f, 0, 0x41, 0)], 'an instruction', 0xf],
    [
      'a heap type that is too long',
      [...PREAMBLE, ...section(1, 1, 0x60, 1, 0x63, ...long)],
      'heap type',
      0xe,
    ],
  ])('%s', (_, content, expected, offset) => {
    const bytes = Uint8Array.from(content);
    const { code, message } = failure(bytes);
    expect(engine.validate(bytes)).toBe(false);
    expect(code).toBe('INVALID_WASM');
    expect(message).toMatch(/^lib\/x\.wasm: expected /);
    expect(message).toContain(expected);
    expect(message).toContain(` at offset 0x${offset.toString(16)} (`);
    expect(message).toContain('build or download it again');
  });

  test('a module without a file name', () => {
    expect(() => readModule(new Uint8Array())).toThrow(/^wasm module: expected /);
  });
});

/** A module with every kind of feature that V8 11.3 (Node 20), the oldest version, supports. */
const rich = assemble(`(module $rich
  (type $binary (func (param i32 i64) (result f32 f64)))
  (import "env" "f" (func $imported (type $binary)))
  (import "env" "t" (table 1 10 externref))
  (import "env" "m" (memory 1 2 shared))
  (import "env" "g" (global $base i32))
  (import "env" "e" (tag (param i32)))
  (table $table 2 funcref)
  (global $count (mut i32) (i32.const 300))
  (global $vector v128 (v128.const i64x2 1 2))
  (global $start i32 (global.get $base))
  (global $ref funcref (ref.func $main))
  (tag $tag (param i64))
  (export "main" (func $main)) (export "imported" (func $imported)) (export "memory" (memory 0))
  (export "table" (table $table)) (export "count" (global $count)) (export "tag" (tag $tag))
  (start $init)
  (elem (table $table) (i32.const 0) func $main)
  (func $main (param $a i32) (result i32 i32) (local.get $a) (i32.const 7))
  (func $init)
  (data (i32.const 8) "data"))`);
const module = Uint8Array.from([...rich, ...custom('producers', 0)]);

/** Expects that reading returns the same as V8, or throws. It may throw only if V8 rejects the module. */
function checkAgainstEngine(bytes: Uint8Array): void {
  const valid = engine.validate(bytes);
  try {
    const { imports, exports, functionNames } = readModule(bytes);
    functionNames();
    const stripped = stripCustomSections(bytes, 'all');
    if (!valid) return;
    expect(engine.validate(stripped)).toBe(true);
    const compiled = new engine.Module(bytes);
    const kinds = imports.map((entry) => ({ module: entry.module, name: entry.name, kind: entry.kind }));
    expect(kinds).toEqual(engine.Module.imports(compiled));
    expect(exports.map(({ name, kind }) => ({ name, kind }))).toEqual(engine.Module.exports(compiled));
  } catch (error) {
    if (!(error instanceof WasmPrecompileError)) throw error;
    expect(valid, error.message).toBe(false);
  }
}

/** A small generator of pseudo-random numbers (mulberry32), so that a failure can be repeated. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

describe('a random module', () => {
  test('is read as V8 reads it', () => {
    expect(engine.validate(module)).toBe(true);
    checkAgainstEngine(module);
    expect(readModule(module).imports).toHaveLength(5);
  });

  test('is rejected or read as V8 reads it if it is cut off anywhere', () => {
    for (let size = 0; size < module.length; size++) checkAgainstEngine(module.subarray(0, size));
  });

  test('is rejected or read as V8 reads it if bytes change', () => {
    const random = generator(1);
    for (let round = 0; round < 10_000; round++) {
      const bytes = module.slice();
      for (let changes = 1 + random(3); changes > 0; changes--) bytes[random(bytes.length)] = random(256);
      checkAgainstEngine(bytes);
    }
  });

  test('is rejected or read as V8 reads it if bytes are removed or inserted', () => {
    const random = generator(2);
    for (let round = 0; round < 5000; round++) {
      const from = random(module.length);
      const extra = Array.from({ length: random(4) }, () => random(256));
      checkAgainstEngine(
        Uint8Array.from([...module.subarray(0, from), ...extra, ...module.subarray(from + random(4))]),
      );
    }
  });
});
