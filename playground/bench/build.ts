/**
 * Builds one module in one mode with Vite, in a separate process, so that no build benefits from another one:
 * `tsx build.ts <BuildJob as JSON>` prints a `BuildFacts`.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, createLogger, type Plugin } from 'vite';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { folderSize, listFiles } from '../support/folder-size.ts';
import { moduleByHand } from '../support/module-by-hand.ts';
import { type BuildFacts, type BuildJob, PROGRAM } from './builds.ts';

const APP = fileURLToPath(new URL('app/', import.meta.url));

async function run({
  workload,
  external,
  mode,
  outDir,
  cache,
  targets,
  timeLimit,
}: BuildJob): Promise<BuildFacts> {
  const warnings: string[] = [];
  const logger = createLogger('warn');
  const remember = (message: string) => warnings.push(message);
  const train = [process.execPath, join(outDir, PROGRAM)];
  const profile = { train, timeLimit };
  const training =
    mode === 'profile' ? { profile } : mode === 'unsplit' ? { profile, split: false as const } : {};
  const start = performance.now();
  await build({
    root: APP,
    configFile: false,
    mode,
    customLogger: { ...logger, info() {}, warn: remember, warnOnce: remember },
    plugins: [
      resolveWorkload(workload),
      mode === 'baseline'
        ? moduleByHand()
        : wasmPrecompile({
            targets: [...targets],
            cache,
            ...training,
          }),
    ],
    // Bundles all packages, as other bundlers do, and as deployment without node_modules requires.
    ssr: { noExternal: true, external: [...external] },
    build: {
      ssr: true,
      // Without this option, Vite's own `?init` refers to a file that a server build does not emit.
      ssrEmitAssets: true,
      outDir,
      target: 'node20.19',
      minify: false,
      reportCompressedSize: false,
      rolldownOptions: { input: { measure: join(APP, 'measure.ts') }, checks: { pluginTimings: false } },
    },
  });
  const seconds = (performance.now() - start) / 1000;
  return { seconds, warnings, ...(await measureOutput(outDir)) };
}

function resolveWorkload(file: string): Plugin {
  return {
    name: 'bench:workload',
    enforce: 'pre',
    resolveId: { filter: { id: /^bench:workload$/ }, handler: () => file },
  };
}

/** Measures the size of all files, and of all native code. */
async function measureOutput(folder: string): Promise<Pick<BuildFacts, 'outputSize' | 'nativeSize'>> {
  const sizes = { outputSize: await folderSize(folder), nativeSize: 0 };
  for (const file of await listFiles(folder)) {
    if (!file.endsWith('.elf')) continue;
    const { native } = unpackArtifact(await readFile(file), file);
    for (const { bytes } of native) sizes.nativeSize += bytes.length;
  }
  return sizes;
}

console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? '') as BuildJob)));
