import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readFunctionBodies } from '../../src/wasm/binary/code.ts';
import { hashFunctionBody, hashModule } from '../../src/wasm/binary/hash.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { stripCustomSections } from '../../src/wasm/binary/strip.ts';
import { assemble, custom, moduleOf, PACKAGES, readPackage, section } from './support.ts';

const TYPES = section(1, 1, 0x60, 0, 0);
const EMPTY = [2, 0, 0x0b];
const NOP = [3, 0, 0x01, 0x0b];

const bodiesOf = (wire: Uint8Array) => readFunctionBodies(wire, readModule(wire), 'a.wasm');
const hashOf = (wire: Uint8Array) => hashModule(wire, readModule(wire));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('function bodies', () => {
  test('are found without their sizes', () => {
    const wire = moduleOf(TYPES, section(3, 2, 0, 0), section(10, 2, ...EMPTY, ...NOP));
    expect(bodiesOf(wire).map(({ offset, size }) => [...wire.subarray(offset, offset + size)])).toEqual([
      [0, 0x0b],
      [0, 0x01, 0x0b],
    ]);
  });

  test.each([
    ['an empty module', moduleOf()],
    ['a module that only imports', assemble('(module (import "a" "b" (func)))')],
    ['an empty code section', moduleOf(section(10, 0))],
  ])('are empty for %s', (_, wire) => {
    expect(bodiesOf(wire)).toEqual([]);
  });

  test('have hashes that do not depend on how sizes are written', () => {
    const short = moduleOf(TYPES, section(3, 1, 0), section(10, 1, ...NOP));
    const padded = moduleOf(TYPES, section(3, 1, 0), section(10, 1, 0x83, 0x80, 0, ...NOP.slice(1)));
    const [body, again] = [short, padded].map((wire) =>
      bodiesOf(wire).map((at) => hashFunctionBody(wire, at)),
    );
    expect(body).toEqual([sha256(Uint8Array.of(0, 0x01, 0x0b)).slice(0, 16)]);
    expect(again).toEqual(body);
  });

  test.each([
    [
      'fewer bodies than functions',
      [section(3, 2, 0, 0), section(10, 1, ...EMPTY)],
      /as many function bodies as functions \(2\).*found 1/,
    ],
    ['more bodies than functions', [section(3, 1, 0), section(10, 2, ...EMPTY, ...EMPTY)], /\(1\).*found 2/],
    ['functions without bodies', [section(3, 1, 0)], /\(1\).*found 0/],
    [
      'a body that is too long',
      [section(3, 1, 0), section(10, 1, 9, 0, 0x0b)],
      /a function body of 9 bytes.*found 2 bytes/,
    ],
    [
      'a hostile count',
      [section(3, 1, 0), section(10, 0xff, 0xff, 0xff, 0xff, 0x0f)],
      /at most 0 function bodies/,
    ],
    [
      'bytes after the bodies',
      [section(3, 1, 0), section(10, 1, ...EMPTY, 0)],
      /the end of the code section.*1 more bytes/,
    ],
  ])('readFunctionBodies rejects %s', (_, sections, message) => {
    expect(() => bodiesOf(moduleOf(TYPES, ...sections))).toThrow(
      expect.objectContaining({ code: 'INVALID_WASM', message: expect.stringMatching(message) }),
    );
  });

  test.each(PACKAGES)('fill the code section of %s', async (path) => {
    const wire = await readPackage(path);
    const module = readModule(wire);
    const bodies = readFunctionBodies(wire, module);
    expect(bodies).toHaveLength(module.functions);
    const code = module.sections.find(({ name }) => name === 'code');
    const last = bodies.at(-1);
    expect((last?.offset ?? 0) + (last?.size ?? 0)).toBe((code?.offset ?? 0) + (code?.size ?? 0));
    // Each body ends with `end`.
    expect(bodies.filter(({ offset, size }) => wire[offset + size - 1] !== 0x0b)).toEqual([]);
  });
});

describe('the hash of a module', () => {
  const sections = [TYPES, section(3, 1, 0), section(10, 1, ...EMPTY)];

  test('is the SHA-256 of its copy without custom sections', () => {
    const bare = moduleOf(...sections);
    expect(hashOf(bare)).toBe(sha256(bare));
    const all = sections.flatMap((part) => [custom('name', 1), part, custom('other', 2)]);
    expect(hashOf(moduleOf(...all))).toBe(sha256(bare));
  });

  test('does not depend on how section sizes are written', () => {
    const padded = [...TYPES.slice(0, 1), 0x84, 0x80, 0, ...TYPES.slice(2)];
    const wire = moduleOf(padded, ...sections.slice(1));
    expect(wire).toHaveLength(moduleOf(...sections).length + 2);
    expect(hashOf(wire)).toBe(hashOf(moduleOf(...sections)));
  });

  test('differs if anything else differs', () => {
    expect(hashOf(moduleOf(TYPES, section(3, 1, 0), section(10, 1, ...NOP)))).not.toBe(
      hashOf(moduleOf(...sections)),
    );
    expect(hashOf(moduleOf(...sections, section(11, 0)))).not.toBe(hashOf(moduleOf(...sections)));
  });

  test.each(PACKAGES)('is equal for a stripped copy of %s', async (path) => {
    const wire = await readPackage(path);
    const stripped = stripCustomSections(wire, 'all');
    expect(readModule(stripped).customSections).toEqual([]);
    expect(hashOf(stripped)).toBe(hashOf(wire));
  });
});
