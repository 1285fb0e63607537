/** Bundlers and plugins that take wasm, each as its documents say, for a program for Node. */
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { wasm as rollupWasm } from '@rollup/plugin-wasm';
import { rollup, type Plugin as RollupPlugin } from 'rollup';
import { unwasm } from 'unwasm/plugin';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
import { build as viteBuild, type PluginOption } from 'vite';
import vitePluginWasm from 'vite-plugin-wasm';
import webpack from 'webpack';
import type { Form, Task } from './tasks.ts';

export interface PeerJob {
  /** Absolute path of the folder that `main.js` is in, which imports the task. */
  folder: string;
  outDir: string;
  /** For those that make native code. */
  target: string;
}

export interface Peer {
  id: string;
  /** Whose versions its name has. */
  packages: readonly string[];
  /** How it lets a task import. */
  forms: Readonly<Record<Task['name'], Form>>;
  build(job: PeerJob): Promise<void>;
}

/** What glue code is external. */
const EXTERNAL = ['sql.js'];

const TARGET = 'node20.19';

/** Its types are those of its CommonJS build. */
const createVitePluginWasm = vitePluginWasm as unknown as () => PluginOption;

export const PEERS: readonly Peer[] = [
  {
    id: 'vite',
    packages: ['vite'],
    forms: { 'sql.js': 'init', tiktoken: 'exports' },
    build: (job) => buildWithVite(job, []),
  },
  {
    id: 'precompile',
    packages: ['unplugin-wasm-precompile', 'vite'],
    forms: { 'sql.js': 'init', tiktoken: 'exports' },
    build: (job) => buildWithVite(job, [wasmPrecompile({ targets: [job.target], cache: false })]),
  },
  {
    id: 'vite-plugin-wasm',
    packages: ['vite-plugin-wasm', 'vite'],
    forms: { 'sql.js': 'exports', tiktoken: 'exports' },
    build: (job) => buildWithVite(job, [createVitePluginWasm()]),
  },
  {
    id: 'unwasm-vite',
    packages: ['unwasm', 'vite'],
    forms: { 'sql.js': 'module', tiktoken: 'exports' },
    build: (job) => buildWithVite(job, [unwasm({})]),
  },
  {
    id: 'unwasm-rollup',
    packages: ['unwasm', 'rollup'],
    forms: { 'sql.js': 'module', tiktoken: 'exports' },
    build: (job) => buildWithRollup(job, unwasm({}) as RollupPlugin),
  },
  {
    id: 'rollup-wasm',
    packages: ['@rollup/plugin-wasm', 'rollup'],
    forms: { 'sql.js': 'function', tiktoken: 'exports' },
    // Its `node` uses `require`, which ES modules do not have.
    build: (job) => buildWithRollup(job, rollupWasm({ targetEnv: 'auto-inline' })),
  },
  {
    id: 'webpack',
    packages: ['webpack'],
    forms: { 'sql.js': 'exports', tiktoken: 'exports' },
    build: buildWithWebpack,
  },
];

async function buildWithVite({ folder, outDir }: PeerJob, plugins: PluginOption[]): Promise<void> {
  await viteBuild({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    plugins,
    build: {
      ssr: 'main.js',
      ssrEmitAssets: true,
      outDir,
      target: TARGET,
      rolldownOptions: { external: EXTERNAL },
    },
  });
}

async function buildWithRollup({ folder, outDir }: PeerJob, plugin: RollupPlugin): Promise<void> {
  const bundle = await rollup({
    input: `${folder}/main.js`,
    external: EXTERNAL,
    plugins: [plugin, nodeResolve()],
    onwarn() {},
  });
  await bundle.write({ dir: outDir, format: 'es' });
  await bundle.close();
}

async function buildWithWebpack({ folder, outDir }: PeerJob): Promise<void> {
  const compiler = webpack({
    mode: 'production',
    target: 'node20',
    context: folder,
    entry: './main.js',
    externals: Object.fromEntries(EXTERNAL.map((name) => [name, `module ${name}`])),
    experiments: { asyncWebAssembly: true, outputModule: true },
    output: { path: outDir, filename: 'main.js', module: true, library: { type: 'module' } },
  });
  const errors = await new Promise<string[]>((resolve, reject) => {
    compiler.run((error, stats) => {
      if (error) reject(error);
      else resolve((stats?.toJson({ all: false, errors: true }).errors ?? []).map(({ message }) => message));
    });
  });
  if (errors.length > 0) throw new Error(errors.join('\n'));
}
