/** `import source` and `import.source()`: https://github.com/tc39/proposal-source-phase-imports */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { build, BUNDLERS, OLDER_VITES } from '../support/bundlers.ts';
import { ensureNode } from '../support/nodes.ts';
import { createProject, runWell } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

describe.each([...BUNDLERS, ...OLDER_VITES])('%s', (bundler) => {
  test('returns the same module for both forms and each time', async () => {
    const project = await createProject({
      'lib/needs.wasm': wat(`(module
        (import "whatever" "f" (func $f (result i32)))
        (func (export "value") (result i32) call $f))`),
      'lib/again.js': "export const again = () => import.source('./needs.wasm');",
      'main.js': `
        import source module from './lib/needs.wasm';
        import { again } from './lib/again.js';
        const text = "import source text from './lib/needs.wasm'";
        const later = await import.source(
          /* the same */ './lib/needs.wasm',
        );
        const { exports } = new WebAssembly.Instance(module, { whatever: { f: () => 5 } });
        console.log(JSON.stringify([
          module instanceof WebAssembly.Module, later === module, (await again()) === module, exports.value(), text,
        ]));
      `,
    });
    const { dir, warnings } = await build(bundler, project);
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toEqual([true, true, true, 5, "import source text from './lib/needs.wasm'"]);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
    expect(warnings).toEqual([]);
  });

  test('gives the results of Node without a bundler', async () => {
    const project = await createProject({
      'counter.wasm': wat('(module (func (export "increment")))'),
      'main.js': `
        import source module from './counter.wasm';
        import { increment } from './counter.wasm';
        const again = await import.source('./counter.wasm');
        console.log(JSON.stringify([
          module === again, module instanceof WebAssembly.Module, typeof increment,
          WebAssembly.Module.exports(module), Object.prototype.toString.call(module),
        ]));
      `,
    });
    const node = await ensureNode('26');
    const nodes = await runWell(project.path('main.js'), { node });
    const { dir } = await build(bundler, project, { plugin: { targets: [node] } });
    const ours = await runWell(join(dir, 'main.js'), { node });
    expect(nodes.loads).toEqual([]);
    expect(ours.result).toEqual(nodes.result);
    expect(new Set(ours.loads.map(({ how }) => how))).toEqual(new Set(['precompiled']));
  });

  test('keeps a default import that is named source', async () => {
    const project = await createProject({
      'default.wasm': wat('(module (func (export "default") (result i32) i32.const 8))'),
      'main.js': `
        import source from './default.wasm';
        console.log(source());
      `,
    });
    const { dir } = await build(bundler, project);
    expect((await runWell(join(dir, 'main.js'))).result).toBe(8);
  });

  test('keeps the lines of source maps', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'main.js': `import source module from './one.wasm';
        const later = await import.source(
          './one.wasm'
        );
        if (later === module) throw new Error('here');
      `,
    });
    const { dir } = await build(bundler, project, { output: { sourcemap: true } });
    const script = project.path('trace.js');
    await project.write({
      'trace.js': `await import('./out/main.js').catch((error) => console.log(JSON.stringify(error.stack)));`,
    });
    const { result } = await runWell(script, { nodeArgs: ['--enable-source-maps'] });
    expect(dir).toBe(project.path('out'));
    expect(result).toMatch(/main\.js:5:/);
  });

  test('refuses a query', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'main.js': "import source module from './one.wasm?init'; console.log(module);",
    });
    await expect(build(bundler, project)).rejects.toThrow(
      /main\.js has a source phase import of "\.\/one\.wasm\?init": it always gives the module\. Remove the query\./,
    );
  });

  test('leaves the import to the bundler if the file is excluded', async () => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'main.js': "import source module from './one.wasm'; console.log(module);",
    });
    const building = build(bundler, project, { plugin: { exclude: /one\.wasm$/ } });
    const outcome = await building.then(
      ({ bundled }) => bundled.map(({ code }) => code).join('\n'),
      (error: Error) => error.message,
    );
    expect(outcome).not.toContain('?module');
    expect(outcome).not.toContain('fromArtifact');
  });
});

test('Vite supports source phase imports in TypeScript and JSX', async () => {
  const project = await createProject({
    'one.wasm': watOfValue(1),
    'value.ts': `
      import source module from './one.wasm';
      export const value: number = (new WebAssembly.Instance(module).exports['value'] as () => number)();
      export const generic = <T,>(x: T): Array<T> => [x];
    `,
    'element.jsx': `
      const React = { createElement: (name, props, ...children) => children };
      export const element = async () => <b>it's {(await import.source('./one.wasm')) instanceof WebAssembly.Module}</b>;
    `,
    'main.js': `
      import { generic, value } from './value.ts';
      import { element } from './element.jsx';
      console.log(JSON.stringify([value, generic(2), await element()]));
    `,
  });
  const { dir } = await build('vite', project, {
    vite: { oxc: { jsx: { runtime: 'classic' } } },
  });
  expect((await runWell(join(dir, 'main.js'))).result).toEqual([1, [2], ["it's ", true]]);
});

test.each(['webpack', 'rspack'] as const)(
  '%s supports source phase imports with its experiment for their syntax',
  async (bundler) => {
    const project = await createProject({
      'one.wasm': watOfValue(1),
      'main.js': `
      import source module from './one.wasm';
      import { value } from './one.wasm';
      const later = await import.source('./one.wasm');
      console.log(JSON.stringify([module instanceof WebAssembly.Module, later === module, value()]));
    `,
    });
    const experiments = { outputModule: true, sourceImport: true };
    const { dir } = await build(bundler, project, { other: { webpack: { experiments } } });
    const { result, loads } = await runWell(join(dir, 'main.js'));
    expect(result).toEqual([true, true, 1]);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled']);
  },
);
