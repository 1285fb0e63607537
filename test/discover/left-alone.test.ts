/** Code that is not detected and files that the user excludes stay unchanged. */
import { join } from 'node:path';
import type { InlineConfig } from 'vite';
import { describe, expect, test } from 'vitest';
import { ALL_BUNDLERS, build, type BuildOptions, type BuildResult } from '../support/bundlers.ts';
import { createProject, type Files, type Project, runWell } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

type AnyBundler = (typeof ALL_BUNDLERS)[number];

const READ = "import { readFileSync } from 'node:fs'; import { join } from 'node:path';";

/** Code that is detected by default. */
const KNOWN = `${READ}
  const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
  console.log(JSON.stringify(new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.value()));
`;

/** Builds a program and writes its wasm file to the folder in which the bundled code expects it. */
async function buildBundled(
  bundler: AnyBundler,
  project: Project,
  options: BuildOptions = {},
): Promise<BuildResult> {
  const built = await build(bundler, project, {
    // Module ids that do not depend on how a module was loaded.
    other: { webpack: { optimization: { minimize: false, moduleIds: 'natural' } } },
    ...options,
  });
  await project.write({ 'out/one.wasm': watOfValue(1) });
  return built;
}

function createBundled(program: string, files: Files = {}): Promise<Project> {
  return createProject({ 'one.wasm': watOfValue(1), 'main.js': program, ...files });
}

async function codeOf(project: Project): Promise<string> {
  return (await project.read('out/main.js')).toString();
}

describe.each(ALL_BUNDLERS)('%s', (bundler) => {
  test.each([
    [
      'a name that is computed',
      `import { readFileSync } from 'node:fs';
       const name = 'one'; const here = import.meta.url;
       const { instance } = await load(readFileSync(new URL(\`./\${name}.wasm\`, here)));
       async function load(bytes) { return (({ instantiate }) => instantiate)(WebAssembly)(bytes); }
       console.log(JSON.stringify(instance.exports.value()));`,
    ],
    [
      'a missing file',
      `${READ}
       let error;
       try { readFileSync(join(import.meta.dirname, 'two.wasm')); } catch ({ code }) { error = code; }
       console.log(JSON.stringify(error));`,
    ],
    [
      'a local variable named WebAssembly',
      `function compile(WebAssembly) { return WebAssembly.compile('bytes'); }
       console.log(JSON.stringify(compile({ compile: (what) => what })));`,
    ],
  ])('leaves %s unchanged', async (_, program) => {
    const project = await createBundled(program);
    await buildBundled(bundler, project, { plugin: false });
    const without = await codeOf(project);
    const expected = await runWell(project.path('out/main.js'));
    const { artifacts } = await buildBundled(bundler, project);
    expect(artifacts).toEqual([]);
    expect(await codeOf(project)).toBe(without);
    expect(await runWell(project.path('out/main.js'))).toMatchObject({ result: expected.result, loads: [] });
  });

  test.each([
    ['detect: false', { detect: false }],
    ['exclude', { exclude: '**/one.wasm' }],
  ])('does not precompile with %s', async (option, plugin) => {
    const project = await createBundled(KNOWN);
    const { artifacts } = await buildBundled(bundler, project, { plugin });
    expect(artifacts).toEqual([]);
    const code = await codeOf(project);
    // webpack, Rspack and Farm copy the file themselves, under another name.
    expect(code).toMatch(/\bone[-\w.]*\.wasm/);
    if (option === 'detect: false') expect(code).toContain('new WebAssembly.Module(');
    expect(await runWell(project.path('out/main.js'))).toMatchObject({ result: 1, loads: [] });
  });

  test('reads paths to other folders unchanged', async () => {
    const elsewhere = await createProject({ 'one.wasm': watOfValue(2) });
    const project = await createBundled(`${READ}
      const value = (folder) => {
        const bytes = readFileSync(join(folder, 'one.wasm'));
        return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.value();
      };
      console.log(JSON.stringify([value(import.meta.dirname), value(${JSON.stringify(elsewhere.folder)})]));
    `);
    const { artifacts } = await buildBundled(bundler, project);
    expect(artifacts).toHaveLength(1);
    const { result, loads } = await runWell(project.path('out/main.js'));
    expect(result).toEqual([1, 2]);
    expect(loads).toHaveLength(1);
  });

  test('copies a file that is not a module unchanged', async () => {
    const component = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, 5);
    const project = await createProject({
      'one.wasm': component,
      'main.js': `${READ}
        const bytes = readFileSync(new URL('./one.wasm', import.meta.url));
        let error;
        try { new WebAssembly.Module(bytes); } catch ({ name }) { error = name; }
        console.log(JSON.stringify([[...bytes], error]));`,
    });
    const { dir, warnings } = await build(bundler, project);
    expect(warnings.filter((warning) => warning.includes('.wasm'))).toEqual([]);
    expect((await runWell(join(dir, 'main.js'))).result).toEqual([[...component], 'CompileError']);
  });
});

test.each<[string, InlineConfig]>([
  ['ssr.target', { ssr: { target: 'webworker' } }],
  ['conditions', { ssr: { resolve: { conditions: ['workerd'] } } }],
])('leaves code for servers other than Node unchanged (%s)', async (_, vite) => {
  const program = `
    export const url = new URL('./one.wasm', import.meta.url);
    export const load = (bytes) => WebAssembly.instantiate(bytes);
  `;
  const project = await createBundled(program);
  await buildBundled('vite', project, { vite, plugin: false });
  const without = await codeOf(project);
  await buildBundled('vite', project, { vite });
  expect(await codeOf(project)).toBe(without);
});

test('keeps `__dirname` of CommonJS for other files than wasm', async () => {
  const project = await createBundled('', {
    'out/data.txt': 'beside the output',
    'main.cjs': `
      const { readFileSync } = require('node:fs');
      const { join } = require('node:path');
      const { Module, Instance } = WebAssembly;
      const wasm = new WebAssembly.Module(readFileSync(join(__dirname, 'one.wasm')));
      const text = readFileSync(join(__dirname, 'data.txt'), 'utf8');
      console.log(JSON.stringify([text, new Instance(wasm).exports.value()]));
    `,
  });
  for (const format of ['cjs', 'es'] as const) {
    const { dir } = await build('vite', project, {
      entry: 'main.cjs',
      output: { format, entryFileNames: `${format}.${format === 'cjs' ? 'cjs' : 'mjs'}` },
      vite: { build: { emptyOutDir: false } },
    });
    const { result, loads } = await runWell(join(dir, format === 'cjs' ? 'cjs.cjs' : 'es.mjs'));
    expect(result).toEqual(['beside the output', 1]);
    expect(loads.map(({ how }) => how)).toEqual(['precompiled']);
  }
});
