/** A second plugin that handles wasm files. Conflicts with webpack loaders are in other-bundlers.test.ts. */
import { wasm } from '@rollup/plugin-wasm';
import { describe, expect, test } from 'vitest';
import { build, type CommonPlugin } from '../support/bundlers.ts';
import { createProject } from '../support/project.ts';
import { watOfValue } from '../support/wat.ts';

const OTHER = wasm({ targetEnv: 'auto-inline' }) as CommonPlugin;

const MESSAGE =
  /one\.wasm: another plugin, "wasm", handles this file, too\. Remove it, or name the file in the option `exclude`/;

describe.each(['rollup', 'rolldown'] as const)('%s', (bundler) => {
  const FILES = {
    'one.wasm': watOfValue(1),
    'main.js': "import * as one from './one.wasm'; console.log(JSON.stringify(Object.keys(one)));",
  };

  test('warns if the other plugin comes first', async () => {
    const project = await createProject(FILES);
    const { warnings } = await build(bundler, project, { plugins: [OTHER] });
    expect(warnings).toEqual([expect.stringMatching(MESSAGE)]);
  });

  test('fails if the other plugin handles our generated code as wasm', async () => {
    const project = await createProject(FILES);
    await expect(build(bundler, project, { pluginsAfter: [OTHER] })).rejects.toThrow(MESSAGE);
  });

  test('prints nothing if one of the two plugins excludes the file', async () => {
    const project = await createProject(FILES);
    const plugin = { exclude: '**/one.wasm' };
    const { warnings, artifacts } = await build(bundler, project, { plugin, pluginsAfter: [OTHER] });
    expect(warnings).toEqual([]);
    expect(artifacts).toEqual([]);
  });
});
