/**
 * `npm run bench:detect`: measures packages that load their own wasm, with and without the plugin.
 * Both bundles contain the unmodified package. Times are measured from just before the bundle is imported until
 * the first result.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
import { selfLoadingPackages } from '../../test/discover/packages.ts';
import type { InstalledNode } from '../support/nodes.ts';
import { runPairs } from './pairs.ts';

const NODE_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** Small and large modules of Emscripten, wasm-bindgen and Go: the toolchain, and the wasm file. */
const CASES = [
  ['Emscripten, CommonJS', 'sql.js/dist/sql-wasm.wasm'],
  ['wasm-bindgen, nodejs', '@automerge/automerge-wasm/nodejs/automerge_wasm_bg.wasm'],
  ['wasm-bindgen, web, synchronous', '@automerge/automerge-wasm/web/automerge_wasm_bg.wasm'],
  ['TinyGo', 'sh-syntax/main.wasm'],
  ['Go', 'esbuild-wasm/esbuild.wasm'],
] as const;

/**
 * The programs print their first result. They are CommonJS, because sql.js finds its file only there without
 * the plugin.
 */
const MEASURE = `
const variant = process.argv[2];
const print = console.log;
const start = performance.now();
const before = process.cpuUsage();
console.log = () => {
  const total = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  print(JSON.stringify({ total, processor: (user + system) / 1000 }));
  process.exit(0);
};
await import(\`./\${variant}/main.cjs\`);
`;

await runPairs({
  name: 'bench:detect',
  description: 'Measure packages that load their own wasm, with and without the plugin.',
  variants: ['baseline', 'precompiled'],
  async cases(folder, nodes, progress) {
    const packages = selfLoadingPackages(NODE_MODULES);
    const cases = [];
    for (const [index, [tool, wasm]] of CASES.entries()) {
      const one = packages.find((candidate) => candidate.tool === tool);
      if (!one) throw new Error(`no package of ${tool} is installed`);
      progress.update(`Building ${wasm} …`);
      const script = await createProject(join(folder, String(index), 'project'), one.program, wasm, nodes);
      for (const node of nodes)
        cases.push({ label: `${wasm.replace(/\/.*\//, '/')} (${tool})`, node, script });
    }
    return cases;
  },
  legend: `Milliseconds, medians of fresh processes. Ratio: precompiled to baseline, median of the pairs (minimum–maximum).
total      from just before the bundle is imported, with all its JavaScript, until the first result
processor  CPU time until then, of all threads`,
});

async function createProject(
  folder: string,
  program: string,
  wasm: string,
  nodes: readonly InstalledNode[],
): Promise<string> {
  await mkdir(folder, { recursive: true });
  // The program of Go's package expects node_modules in different places before and after bundling.
  for (const place of ['../../node_modules', '../node_modules']) {
    if (!existsSync(join(folder, place))) await symlink(NODE_MODULES, join(folder, place), 'dir');
  }
  await writeFile(join(folder, 'main.js'), program);
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  for (const variant of ['baseline', 'precompiled']) {
    await build({
      root: folder,
      configFile: false,
      logLevel: 'error',
      ssr: { noExternal: true },
      plugins: variant === 'baseline' ? [] : [wasmPrecompile({ targets: nodes.map(({ path }) => path) })],
      build: {
        ssr: 'main.js',
        outDir: variant,
        rolldownOptions: {
          output: { format: 'cjs', entryFileNames: '[name].cjs' },
          checks: { pluginTimings: false },
        },
      },
    });
  }
  // The code expects its wasm file beside it, or in the parent folder.
  for (const place of ['baseline', '.']) {
    await copyFile(join(NODE_MODULES, wasm), join(folder, place, basename(wasm)));
  }
  const script = join(folder, 'start.js');
  await writeFile(script, MEASURE);
  return script;
}
