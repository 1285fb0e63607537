/**
 * Declarations of wasm files, checked by tsc. `@ts-expect-error` marks required errors: tsc fails if one is missing.
 */
import { describe, expect, test } from 'vitest';
import { createProject, type Files, type Project, wasmPrecompile } from '../support/project.ts';
import { wat, watOfValue, watString } from '../support/wat.ts';
import { check, EXACTLY, SETTINGS } from './support.ts';

const STYLES = [
  { style: 'bundler', flags: [] },
  { style: 'nodenext', flags: ['--nodenext'] },
] as const;

async function createTyped(files: Files, flags: readonly string[]): Promise<Project> {
  const project = await createProject({ 'src/exactly.ts': EXACTLY, ...files });
  await wasmPrecompile('types', project.path('**/*.wasm'), ...flags);
  return project;
}

describe.each(STYLES)('for moduleResolution $style', ({ style, flags }) => {
  test('declares exact types of exports', async () => {
    const project = await createTyped(
      {
        'src/all.wasm': wat(`(module
          (import "./env.js" "log" (func (param i32)))
          (memory (export "memory") 2)
          (table (export "table") 3 funcref)
          (tag (export "tag") (param i32))
          (global (export "number") i32 (i32.const -5))
          (global (export "big") (mut i64) (i64.const 1))
          (global (export "vector") v128 (v128.const i32x4 1 2 3 4))
          (global (export "Imports") externref (ref.null extern))
          (func (export "nothing"))
          (func (export "add") (param i32 f64) (result f32) f32.const 0)
          (func (export "wide") (param i64) (result i64) local.get 0)
          (func (export "pair") (param externref) (result i32 i64) i32.const 0 i64.const 0)
          (func (export "reference") (param funcref) (result externref) ref.null extern)
          (func (export "simd") (param v128)))`),
        'src/use.ts': `
          import * as all from './all.wasm';
          import { add, big, memory, number, pair, reference, type Exports, type Imports, type Instance } from './all.wasm';
          import { exactly } from './exactly.js';

          exactly<WebAssembly.Memory>()(memory) satisfies true;
          exactly<WebAssembly.Table>()(all.table) satisfies true;
          exactly<object>()(all.tag) satisfies true;
          exactly<-5 | number>()(number) satisfies true;
          exactly<bigint>()(big) satisfies true;
          exactly<undefined>()(all.vector) satisfies true;
          exactly<unknown>()(all.Imports) satisfies true;
          exactly<void>()(all.nothing()) satisfies true;
          exactly<number>()(add(1, 2)) satisfies true;
          exactly<bigint>()(all.wide(1n)) satisfies true;
          exactly<[number, bigint]>()(pair({ any: 'thing' })) satisfies true;
          exactly<unknown>()(reference(null)) satisfies true;
          reference(add);

          // @ts-expect-error the parameter is a number
          add('1', 2);
          // @ts-expect-error there are two parameters
          add(1);
          // @ts-expect-error the parameter is not a bigint
          add(1n, 2);
          // @ts-expect-error the parameter is a bigint
          all.wide(1);
          // @ts-expect-error the parameter is a function
          reference({});
          // @ts-expect-error JavaScript has no vector values
          all.simd([]);
          // @ts-expect-error there is no such export
          all.missing;
          // @ts-expect-error exports are constant
          all.number = 1;

          declare const instance: Instance;
          const generic: WebAssembly.Instance = instance;
          exactly<WebAssembly.Global<'i64'>>()(instance.exports.big) satisfies true;
          exactly<WebAssembly.Global<'v128'>>()(instance.exports.vector) satisfies true;
          exactly<number>()(instance.exports.add(1, 2)) satisfies true;
          // @ts-expect-error there is no such export
          instance.exports.missing;
          export const imports: Imports = { './env.js': { log: (value) => value satisfies number } };
          export type All = Exports;
          export { generic };
        `,
      },
      flags,
    );
    expect(await check(project, SETTINGS[style])).toBe('');
  });

  test('declares names that are not identifiers', async () => {
    const names = [
      'a b',
      'class',
      'default',
      'export0',
      '1st',
      '日本',
      'with',
      '',
      '"\'`\\',
      'let',
      '*/',
      '__proto__',
    ];
    const project = await createTyped(
      {
        'src/names.wasm': wat(`(module
          ${names.map((name) => `(import "./x y.js" ${watString(name)} (func (param i32)))`).join('\n')}
          ${names.map((name) => `(func (export ${watString(name)}) (result i64) i64.const 0)`).join('\n')})`),
        'src/use.ts': `
          import type { Imports } from './names.wasm';
          import { ${names.map((name, index) => `${JSON.stringify(name)} as f${index}`).join(', ')} } from './names.wasm';
          import { exactly } from './exactly.js';
          ${names.map((_, index) => `exactly<bigint>()(f${index}()) satisfies true;`).join('\n')}
          declare const imports: Imports;
          ${names.map((name) => `imports['./x y.js'][${JSON.stringify(name)}](1) satisfies void;`).join('\n')}
        `,
      },
      flags,
    );
    expect(await check(project, SETTINGS[style])).toBe('');
  });

  test('declares the imports and exports of ?init', async () => {
    const project = await createTyped(
      {
        'src/lib/needs.wasm': wat(`(module
          (import "env" "log" (func (param i64 externref)))
          (import "env" "pair" (func (result i32 i64)))
          (import "env" "callback" (func (param funcref) (result funcref)))
          (import "env" "vector" (func (param v128)))
          (import "env" "memory" (memory 1))
          (import "env" "table" (table 1 funcref))
          (import "env" "tag" (tag (param i32)))
          (import "env" "constant" (global i64))
          (import "env" "variable" (global (mut f32)))
          (import "wasm:js-string" "length" (func (param externref) (result i32)))
          (func (export "add") (param i32 i32) (result i32) i32.const 0)
          (global (export "count") (mut i32) (i32.const 0)))`),
        'src/free.wasm': watOfValue(1),
        // Vite's templates declare it so. The name puts it before all other files.
        'src/a-client.d.ts': `
          declare module '*.wasm?init' {
            const init: (imports?: WebAssembly.Imports) => Promise<WebAssembly.Instance>;
            export default init;
          }`,
        'src/use.ts': `
          import init from './lib/needs.wasm?init';
          import alias from '@/lib/needs.wasm?init';
          import initFree from './free.wasm?init';
          import { exactly } from './exactly.js';

          declare const tag: object;
          const env = {
            log(value: bigint, reference: unknown) {},
            pair: () => [1, 2n] as const,
            callback: (given: Function | null) => given,
            vector: initFree,
            memory: new WebAssembly.Memory({ initial: 1 }),
            table: new WebAssembly.Table({ initial: 1, element: 'anyfunc' }),
            tag,
            constant: 5n,
            variable: new WebAssembly.Global({ value: 'f32', mutable: true }, 0),
          };
          const { exports } = await init({ env });
          await init({ env: { ...env, log(a, b) { a satisfies bigint; b satisfies unknown; } } });
          exactly<number>()(exports.add(1, 2)) satisfies true;
          exactly<WebAssembly.Global<'i32'>>()(exports.count) satisfies true;
          await init({ env: { ...env, constant: new WebAssembly.Global({ value: 'i64' }, 5n) } });
          (await alias({ env })).exports.add(1, 2);

          // Generated code of toolchains passes imports without exact types.
          declare const unnamed: WebAssembly.Imports;
          exactly<number>()((await init(unnamed)).exports.add(1, 2)) satisfies true;

          // @ts-expect-error imports are needed
          await init();
          // @ts-expect-error all imports are needed
          await init({ env: { log: env.log } });
          // @ts-expect-error imports are grouped by their modules
          await init({ ENV: env });
          // @ts-expect-error imports need the right type
          await init({ env: { ...env, log: (value: string) => {} } });
          // @ts-expect-error an i64 is not a number
          await init({ env: { ...env, constant: 5 } });
          // @ts-expect-error a mutable global is not a number
          await init({ env: { ...env, variable: 5 } });
          // @ts-expect-error there is no such export
          exports.missing;

          exactly<number>()((await initFree()).exports.value()) satisfies true;
          await initFree({});
        `,
      },
      flags,
    );
    expect(await check(project, SETTINGS[style])).toBe('');
  });

  test('distinguishes modules with the same name in two folders, and ?init accepts imports of both', async () => {
    const project = await createTyped(
      {
        'src/a/x.wasm': wat('(module (import "env" "a" (func)) (func (export "one")))'),
        'src/b/x.wasm': wat('(module (import "env" "b" (func)) (func (export "two")))'),
        'src/use.ts': `
          import { one } from './a/x.wasm';
          import { two } from './b/x.wasm';
          import init from './b/x.wasm?init';
          one();
          two();
          (await init({ env: { b() {} } })).exports.two();
          // @ts-expect-error neither module has this import
          await init({ env: { c() {} } });
        `,
      },
      flags,
    );
    expect(await check(project, SETTINGS[style])).toBe('');
  });

  test('declares modules without imports, without exports, and with GC types', async () => {
    const project = await createTyped(
      {
        'src/empty.wasm': wat('(module)'),
        'src/typed.wasm': GC_MODULE,
        'src/use.ts': `
          import * as empty from './empty.wasm';
          import init from './empty.wasm?init';
          import { make, read } from './typed.wasm';
          import { exactly } from './exactly.js';
          empty satisfies object;
          (await init()).exports satisfies {};
          exactly<object>()(make(1)) satisfies true;
          read(make(2)) satisfies number;
          // @ts-expect-error the parameter is not nullable
          read(null);
        `,
      },
      flags,
    );
    expect(await check(project, SETTINGS[style])).toBe('');
  });
});

/**
 * ```wat
 * (module
 *   (type $box (struct (field i32)))
 *   (func (export "make") (param i32) (result (ref $box)) (struct.new $box (local.get 0)))
 *   (func (export "read") (param (ref $box)) (result i32) (struct.get $box 0 (local.get 0))))
 * ```
 */
const GC_MODULE = Buffer.from(
  '0061736d01000000' +
    '0111035f017f0060017f01640060016400017f' +
    '0303020102' +
    '070f02046d616b65000004726561640001' +
    '0a120207002000fb00000b08002000fb0200000b',
  'hex',
);
