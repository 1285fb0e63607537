/** The declaration files that the option `dts` and `wasm-precompile types` write. */
import { mkdir, stat } from 'node:fs/promises';
import { createServer, type InlineConfig } from 'vite';
import { describe, expect, test } from 'vitest';
import { build, BUNDLERS, viteConfig } from '../support/bundlers.ts';
import { cli } from '../cli/support.ts';
import { createProject, type Project } from '../support/project.ts';
import { wat, watOfValue } from '../support/wat.ts';

const MAIN = `
  import { value } from './lib/one.wasm';
  import module from './two.wasm?module';
  import sql from 'sql.js/dist/sql-wasm.wasm?module';
  console.log(value(), module, sql);
`;

async function createImporting(): Promise<Project> {
  return createProject({
    'lib/one.wasm': watOfValue(1),
    'two.wasm': wat('(module (import "env" "f" (func (param i64))))'),
    'main.js': MAIN,
    'node_modules/installed/package.json': '{ "name": "installed" }',
    'node_modules/installed/three.wasm': watOfValue(3),
    'other.js': "import module from 'installed/three.wasm?module'; console.log(module);",
  });
}

const DECLARATIONS = ['lib/one.wasm.d.ts', 'lib/one.wasm.init.d.ts', 'two.wasm.d.ts', 'two.wasm.init.d.ts'];

async function listDeclarations(project: Project): Promise<string[]> {
  return (await project.list()).filter((file) => /\.ts$|\.tmp$/.test(file));
}

describe.each(BUNDLERS)('the option `dts` in %s', (bundler) => {
  test('writes declarations beside the sources, but not into node_modules', async () => {
    const project = await createImporting();
    await build(bundler, project, { plugin: { dts: true } });
    await build(bundler, project, { plugin: { dts: true }, entry: 'other.js', output: { dir: 'other' } });
    expect(await listDeclarations(project)).toEqual(DECLARATIONS);
    expect(String(await project.read('two.wasm.d.ts'))).toContain('f: (p0: bigint) => void;');
  });

  test('writes only changed declarations', async () => {
    const project = await createImporting();
    await build(bundler, project, { plugin: { dts: true } });
    const times = () =>
      Promise.all(
        DECLARATIONS.map(async (file) => {
          const { mtimeNs, ino } = await stat(project.path(file), { bigint: true });
          return `${mtimeNs} ${ino}`;
        }),
      );
    const before = await times();
    await project.write({ 'two.wasm': wat('(module (import "env" "f" (func (param f32))))') });
    await build(bundler, project, { plugin: { dts: true } });
    const after = await times();
    expect(after.map((time, index) => time === before[index])).toEqual([true, true, false, true]);
    expect(String(await project.read('two.wasm.d.ts'))).toContain('f: (p0: number) => void;');
  });

  test('writes nothing by default, and declarations for moduleResolution nodenext with "nodenext"', async () => {
    const project = await createImporting();
    await build(bundler, project);
    expect(await listDeclarations(project)).toEqual([]);
    await build(bundler, project, { plugin: { dts: 'nodenext' } });
    expect(await listDeclarations(project)).toEqual([
      'lib/one.d.wasm.ts',
      'lib/one.wasm.init.d.ts',
      'two.d.wasm.ts',
      'two.wasm.init.d.ts',
    ]);
  });

  test('keeps declarations of other tools', async () => {
    const project = await createImporting();
    const others = 'export const memory: WebAssembly.Memory; // made by wasm-bindgen\n';
    await project.write({ 'two.wasm.d.ts': others });
    const { warnings } = await build(bundler, project, { plugin: { dts: true } });
    expect(String(await project.read('two.wasm.d.ts'))).toBe(others);
    expect(await listDeclarations(project)).toEqual(DECLARATIONS.slice(0, 3));
    expect(warnings).toEqual([]);
  });

  test('warns and continues if declarations cannot be written', async () => {
    const project = await createImporting();
    await mkdir(project.path('two.wasm.d.ts'));
    const { warnings, artifacts } = await build(bundler, project, { plugin: { dts: true } });
    expect(artifacts).toHaveLength(3);
    expect(warnings).toEqual([
      expect.stringMatching(
        /two\.wasm\.d\.ts: cannot be written: .*The build continues without these types\./,
      ),
    ]);
  });
});

test('a dev server writes declarations', async () => {
  const project = await createImporting();
  const config: InlineConfig = {
    ...viteConfig(project, [], { dts: true }),
    appType: 'custom',
    server: { watch: null, ws: false, middlewareMode: true },
  };
  const server = await createServer(config);
  try {
    await server.transformRequest('/lib/one.wasm', { ssr: true });
  } finally {
    await server.close();
  }
  expect(await listDeclarations(project)).toEqual(DECLARATIONS.slice(0, 2));
});

describe('wasm-precompile types', () => {
  test('writes and lists declarations for all matching files except installed ones', async () => {
    const project = await createImporting();
    const first = await cli(['types', '**/*.wasm'], { cwd: project.folder });
    expect(first).toEqual({
      exitCode: 0,
      stdout: DECLARATIONS.map((file) => `${file}  written`).join('\n'),
      stderr: '',
    });
    expect(await listDeclarations(project)).toEqual(DECLARATIONS);
    await project.write({ 'two.wasm': wat('(module)') });
    const second = await cli(['types', 'lib/one.wasm', 'two.wasm'], { cwd: project.folder });
    expect(second.stdout.split('\n').map((line) => line.split('  ')[1])).toEqual([
      'unchanged',
      'unchanged',
      'written',
      'written',
    ]);
  });

  test('refuses installed files, files without the extension .wasm, and missing files', async () => {
    const project = await createImporting();
    const installed = await cli(['types', 'node_modules/installed/three.wasm'], { cwd: project.folder });
    expect(installed.exitCode).toBe(2);
    expect(installed.stderr).toMatch(/three\.wasm is in node_modules, where no declarations are written/);
    const other = await cli(['types', 'main.js'], { cwd: project.folder });
    expect(other.exitCode).toBe(2);
    expect(other.stderr).toMatch(/main\.js is not a wasm file: its name must end in \.wasm/);
    const none = await cli(['types', 'three/*.wasm'], { cwd: project.folder });
    expect(none.exitCode).toBe(2);
    expect(none.stderr).toMatch(/three\/\*\.wasm matches no file/);
    const absent = await cli(['types', 'absent.wasm'], { cwd: project.folder });
    expect(absent.exitCode).toBe(1);
    expect(absent.stderr).toMatch(/absent\.wasm: cannot be read/);
    expect(await listDeclarations(project)).toEqual([]);
  });

  test('continues after an invalid file and names it', async () => {
    const project = await createProject({
      'bad.wasm': 'no',
      'good.wasm': watOfValue(1),
      'made.wasm': watOfValue(2),
    });
    await project.write({ 'made.wasm.d.ts': 'export {};' });
    const { exitCode, stdout, stderr } = await cli(['types', '*.wasm'], { cwd: project.folder });
    expect(exitCode).toBe(1);
    expect(stdout).toBe('good.wasm.d.ts  written\ngood.wasm.init.d.ts  written');
    expect(stderr).toMatch(/made\.wasm\.d\.ts was not generated by this tool; it is left unchanged/);
    expect(stderr).toMatch(/bad\.wasm/);
  });
});
