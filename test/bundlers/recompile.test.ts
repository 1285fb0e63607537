/** The option `recompile`: built programs include on-device compilation only with the option. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { build, type Bundler } from '../support/bundlers.ts';
import type { OtherBundler } from '../support/other-bundlers.ts';
import { ensureNode } from '../support/nodes.ts';
import { createProject, runWell } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

/** With the variable RECOMPILE, runs until the folder in the environment contains a file of native code. */
const MAIN = `
  import module from './one.wasm?module';
  const fs = process.getBuiltinModule('fs');
  console.log(new WebAssembly.Instance(module).exports.value());
  const { FOLDER, RECOMPILE } = process.env;
  const timer = RECOMPILE && setInterval(() => {
    if (fs.existsSync(FOLDER) && fs.readdirSync(FOLDER).some((name) => name.endsWith('.native'))) clearInterval(timer);
  }, 20);
`;

test.each<[Bundler | OtherBundler, 'es' | 'cjs']>([
  ['vite', 'es'],
  ['rollup', 'cjs'],
  ['rolldown', 'es'],
  ['rolldown', 'cjs'],
  ['webpack', 'es'],
  ['rspack', 'cjs'],
  ['esbuild', 'cjs'],
  ['farm', 'es'],
  ['bun', 'es'],
])('%s, %s: the second startup in another Node loads native code', async (bundler, format) => {
  const project = await createProject({ 'one.wasm': watOfValue(1), 'main.js': MAIN });
  const folder = project.path('cache');
  const entry = format === 'cjs' ? 'main.cjs' : 'main.js';
  const built = await build(bundler, project, {
    plugin: { targets: ['host'], recompile: { folder, delay: 0 } },
    output: { format, entryFileNames: entry },
  });
  expect(built.warnings).toEqual([]);
  // The program runs in another folder, without sources.
  const dir = await project.move('out', 'deployed');
  const nodes = await Promise.all((['22', '24', '26'] as const).map((version) => ensureNode(version)));
  for (const node of nodes.filter((each) => each !== process.execPath)) {
    const env = { FOLDER: project.path('cache', String(nodes.indexOf(node))) };
    const main = join(dir, entry);
    const code = (await readFile(main, 'utf8')).replaceAll(
      JSON.stringify(folder),
      JSON.stringify(env.FOLDER),
    );
    expect(code).toContain(env.FOLDER);
    await project.write({ [`deployed/${nodes.indexOf(node)}-${entry}`]: code });
    const own = join(dir, `${nodes.indexOf(node)}-${entry}`);
    const first = await runWell(own, { node, env: { ...env, RECOMPILE: '1' } });
    expect(first.loads).toMatchObject([
      {
        how: 'compiled',
        detail: expect.stringMatching(
          /is not among its targets.*; on-device compilation: starts when the program is idle/,
        ),
      },
    ]);
    const second = await runWell(own, { node, env });
    expect(second.loads).toMatchObject([
      { how: 'precompiled', detail: expect.stringMatching(/^recompiled v8-.*-[0-9a-f]{8}-[0-9a-f]{8}$/) },
    ]);
    expect([first.result, second.result]).toEqual([1, 1]);
    expect(second.stderr).not.toContain('WASM_PRECOMPILE_FALLBACK');
  }
});

test('output without the option includes nothing of on-device compilation', async () => {
  const project = await createProject({ 'one.wasm': watOfValue(1), 'main.js': MAIN });
  for (const plugin of [{}, { recompile: false }]) {
    const { dir, files } = await build('rollup', project, { plugin });
    expect(files.filter((file) => file.endsWith('.mjs'))).toEqual([]);
    expect(await readFile(join(dir, 'main.js'), 'utf8')).not.toMatch(/recompile-host|child_process/);
  }
});
