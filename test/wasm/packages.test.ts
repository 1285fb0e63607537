import { describe, expect, test } from 'vitest';
import { interfaceOf, readModule } from '../../src/wasm/binary/module.ts';
import { SectionId } from '../../src/wasm/binary/sections.ts';
import { stripCustomSections } from '../../src/wasm/binary/strip.ts';
import { engine, PACKAGES, readPackage } from './support.ts';

describe.each(PACKAGES)('%s', async (path) => {
  const bytes = await readPackage(path);
  const compiled = new engine.Module(bytes);
  const module = readModule(bytes, path);

  test('has the imports and exports that V8 finds', () => {
    const { Module } = engine;
    const imports = module.imports.map(({ module: from, name, kind }) => ({ module: from, name, kind }));
    const exports = module.exports.map(({ name, kind }) => ({ name, kind }));
    expect(imports).toEqual(Module.imports(compiled));
    expect(exports).toEqual(Module.exports(compiled));
    expect(module.importedFunctions).toBe(imports.filter(({ kind }) => kind === 'function').length);
  });

  test('has the custom sections that V8 finds', () => {
    for (const { name, offset, size } of module.customSections) {
      const found = engine.Module.customSections(compiled, name).map((content) => Buffer.from(content));
      expect(found).toContainEqual(Buffer.from(bytes.subarray(offset, offset + size)));
    }
  });

  test('has sections without gaps between them', () => {
    let end = 8;
    for (const { start, offset, size } of module.sections) {
      expect(start).toBe(end);
      expect(offset).toBeGreaterThan(start);
      end = offset + size;
    }
    expect(end).toBe(bytes.length);
  });

  test('has as many functions as function bodies', () => {
    const code = module.sections.find(({ id }) => id === SectionId.Code);
    let count = 0;
    for (let index = 0, byte = 0x80; byte >= 0x80; index++) {
      byte = bytes[(code?.offset ?? 0) + index] ?? 0;
      count += (byte & 0x7f) * 2 ** (7 * index);
    }
    expect(module.functions).toBe(count);
  });

  test('has an interface that survives JSON', () => {
    const plain = interfaceOf(module);
    expect(Object.keys(plain)).toEqual(['imports', 'exports']);
    expect(JSON.parse(JSON.stringify(plain))).toEqual(plain);
  });

  test.each(['debug', 'all'] as const)('is the same module if stripped (%s)', (mode) => {
    const stripped = stripCustomSections(bytes, mode, path);
    const again = readModule(stripped);
    expect(engine.validate(stripped)).toBe(true);
    expect(interfaceOf(again)).toEqual(interfaceOf(module));
    expect(again.functions).toBe(module.functions);
    expect(stripped.length).toBeLessThanOrEqual(bytes.length);
    const gone = new Set(['producers', ...(mode === 'all' ? ['name', 'target_features'] : [])]);
    expect(again.customSections.map(({ name }) => name)).toEqual(
      module.customSections.map(({ name }) => name).filter((name) => !gone.has(name)),
    );
  });
});

test('sql.js has the types of its C functions', async () => {
  const { imports, exports, ...rest } = readModule(await readPackage('sql.js/dist/sql-wasm-debug.wasm'));
  const prepare = exports.find(({ name }) => name === 'sqlite3_prepare_v2');
  expect(prepare).toMatchObject({
    kind: 'function',
    type: { params: ['i32', 'i32', 'i32', 'i32', 'i32'], results: ['i32'] },
  });
  expect(exports.find(({ name }) => name === 'sqlite3_column_double')).toMatchObject({
    type: { params: ['i32', 'i32'], results: ['f64'] },
  });
  expect(exports.find(({ kind }) => kind === 'memory')).toMatchObject({
    type: { address: 'i32', shared: false, pageSize: 65536 },
  });
  expect(imports.every(({ kind }) => kind === 'function')).toBe(true);
  expect(rest.start).toBeUndefined();
});
