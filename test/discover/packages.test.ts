/** Real packages that load their own wasm, bundled unmodified. */
import { join } from 'node:path';
import commonjsPlugin from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { describe, expect, test } from 'vitest';
import {
  build,
  type BuildOptions,
  type BuildResult,
  type CommonPlugin,
  hasRollupPlugins,
} from '../support/bundlers.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';
import { ESBUILD_INTEROP, OTHER_BUNDLERS } from '../support/other-bundlers.ts';
import { CHECKOUT, createProject, runWell } from '../support/project.ts';
import { selfLoadingPackages } from './packages.ts';

const BUNDLES = [
  { bundler: 'vite', format: 'es' },
  { bundler: 'vite', format: 'cjs' },
  { bundler: 'vite7', format: 'es' },
  { bundler: 'rollup', format: 'es' },
  { bundler: 'rollup', format: 'cjs' },
  ...OTHER_BUNDLERS.flatMap((bundler) => [
    { bundler, format: 'es' } as const,
    { bundler, format: 'cjs' } as const,
  ]),
] as const;

// The package's types declare a CommonJS module.
const commonjs = commonjsPlugin as unknown as () => CommonPlugin;

const NODES = await Promise.all(NODE_VERSIONS.map((version) => ensureNode(version)));

/** The loaded code is the same for all bundlers, so some of them run with fewer Node versions. */
const FEWER_NODES = NODES.filter((_, index) => index === 0 || index === NODES.length - 1);

/** Returns options that also bundle npm packages. */
function bundlesAll({ bundler, format }: (typeof BUNDLES)[number], external: string[] = []): BuildOptions {
  const extension = format === 'es' ? 'mjs' : 'cjs';
  const output = {
    format,
    entryFileNames: `[name].${extension}`,
    chunkFileNames: `[name]-[hash].${extension}`,
  };
  if (!hasRollupPlugins(bundler)) return { output, other: { external, esbuild: ESBUILD_INTEROP[format] } };
  if (bundler !== 'rollup') return { output, vite: { ssr: { noExternal: true, external } } };
  const plugins = [nodeResolve({ preferBuiltins: true, exportConditions: ['node'] }), commonjs()];
  return {
    output,
    external: external.map((name) => new RegExp(`^${name}(/|$)`)),
    plugins: plugins as CommonPlugin[],
  };
}

const entryOf = ({ dir, files }: BuildResult) =>
  join(dir, files.includes('main.mjs') ? 'main.mjs' : 'main.cjs');

describe.each(selfLoadingPackages(join(CHECKOUT, 'node_modules')))('$tool: $module', (entry) => {
  test.each(BUNDLES)('loads native code when bundled by $bundler ($format)', async (bundle) => {
    if ((bundle.format === 'cjs' && entry.awaits) || entry.notWith?.includes(bundle.bundler)) return;
    const nodes = hasRollupPlugins(bundle.bundler) ? NODES : FEWER_NODES;
    const project = await createProject({ 'main.js': entry.program });
    const built = await build(bundle.bundler, project, {
      ...bundlesAll(bundle, entry.external),
      plugin: { targets: nodes },
    });
    const unbundled = entry.runsUnbundled === false ? undefined : await runWell(project.path('main.js'));
    expect(unbundled?.loads ?? []).toEqual([]);
    let first: unknown;
    for (const node of nodes) {
      const { result, loads, stderr } = await runWell(entryOf(built), { node });
      expect(result).toEqual(unbundled ? unbundled.result : (first ??= result));
      const names = loads.map(({ file }) => file.replace(/^.*\//, '').replace(/-[\w-]{8}\.elf$/, ''));
      expect([node, names.toSorted()], stderr).toEqual([node, entry.wasm]);
      expect(loads.map(({ how }) => how)).toEqual(entry.wasm.map(() => 'precompiled'));
    }
  });
});
