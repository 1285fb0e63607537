/** Another plugin that wants wasm files, too. That of loaders of webpack is in other-bundlers.test.ts. */
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

  test('warns where it comes first', async () => {
    const project = await createProject(FILES);
    const { warnings } = await build(bundler, project, { plugins: [OTHER] });
    expect(warnings).toEqual([expect.stringMatching(MESSAGE)]);
  });

  test('ends where it takes our code for a wasm file', async () => {
    const project = await createProject(FILES);
    await expect(build(bundler, project, { pluginsAfter: [OTHER] })).rejects.toThrow(MESSAGE);
  });

  test('says nothing where one of the two leaves the file alone', async () => {
    const project = await createProject(FILES);
    const plugin = { exclude: '**/one.wasm' };
    const { warnings, artifacts } = await build(bundler, project, { plugin, pluginsAfter: [OTHER] });
    expect(warnings).toEqual([]);
    expect(artifacts).toEqual([]);
  });
});
