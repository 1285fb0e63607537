/** The bundlers and plugins, each configured as in its documentation, for a Node program. */
import { nodeResolve } from '@rollup/plugin-node-resolve';
import { wasm as rollupWasm } from '@rollup/plugin-wasm';
import { rollup, type Plugin as RollupPlugin } from 'rollup';
import { unwasm } from 'unwasm/plugin';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
import { build as viteBuild, type PluginOption } from 'vite';
import vitePluginWasm from 'vite-plugin-wasm';
import webpack from 'webpack';
import type { PeerId, PeerJob } from './peers.ts';

/** JavaScript packages that stay external. */
const EXTERNAL = ['sql.js'];

const TARGET = 'node20.19';

/** The package declares the types of its CommonJS build. */
const createVitePluginWasm = vitePluginWasm as unknown as () => PluginOption;

export const BUILDERS: Readonly<Record<PeerId, (job: PeerJob) => Promise<void>>> = {
  vite: (job) => buildWithVite(job, []),
  precompile: (job) => buildWithVite(job, [wasmPrecompile({ targets: [job.target], cache: false })]),
  'vite-plugin-wasm': (job) => buildWithVite(job, [createVitePluginWasm()]),
  'unwasm-vite': (job) => buildWithVite(job, [unwasm({})]),
  'unwasm-rollup': (job) => buildWithRollup(job, unwasm({}) as RollupPlugin),
  // The value `node` uses `require`, which ES modules do not have.
  'rollup-wasm': (job) => buildWithRollup(job, rollupWasm({ targetEnv: 'auto-inline' })),
  webpack: buildWithWebpack,
};

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
