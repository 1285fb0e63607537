/**
 * `npm run bench:glue`: what packages gain that load their wasm files themselves. The same bundle of an unmodified package without
 * the plugin, its wasm file beside it, and with it; from before the bundle is imported until the first result.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
import { gluePackages } from '../../test/discover/packages.ts';
import type { InstalledNode } from '../support/nodes.ts';
import { runPairs } from './pairs.ts';

const NODE_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** Small and large, of Emscripten, wasm-bindgen and Go: what made them, and the wasm file. */
const CASES = [
  ['Emscripten, CommonJS', 'sql.js/dist/sql-wasm.wasm'],
  ['wasm-bindgen, nodejs', '@automerge/automerge-wasm/nodejs/automerge_wasm_bg.wasm'],
  ['wasm-bindgen, web, synchronous', '@automerge/automerge-wasm/web/automerge_wasm_bg.wasm'],
  ['TinyGo', 'sh-syntax/main.wasm'],
  ['Go', 'esbuild-wasm/esbuild.wasm'],
] as const;

/** The programs print their first result. CommonJS, because sql.js finds its file in no other output without the plugin. */
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
  name: 'bench:glue',
  description: 'What packages gain that load their wasm files themselves.',
  variants: ['plain', 'precompiled'],
  async cases(folder, nodes, progress) {
    const packages = gluePackages(NODE_MODULES);
    const cases = [];
    for (const [index, [tool, wasm]] of CASES.entries()) {
      const one = packages.find((candidate) => candidate.tool === tool);
      if (!one) throw new Error(`there is no package of ${tool}`);
      progress.update(`Building ${wasm} …`);
      const script = await createProject(join(folder, String(index), 'project'), one.program, wasm, nodes);
      for (const node of nodes)
        cases.push({ label: `${wasm.replace(/\/.*\//, '/')} (${tool})`, node, script });
    }
    return cases;
  },
  legend: `Milliseconds, medians of fresh processes. Ratio: precompiled to plain, median of the pairs (least–greatest).
total      from before the bundle is imported, with all its JavaScript, until the first result
processor  time that the processor has worked for it until then, all threads together`,
});

async function createProject(
  folder: string,
  program: string,
  wasm: string,
  nodes: readonly InstalledNode[],
): Promise<string> {
  await mkdir(folder, { recursive: true });
  // Where the program of Go's package expects it before it is bundled, and after that.
  for (const place of ['../../node_modules', '../node_modules']) {
    if (!existsSync(join(folder, place))) await symlink(NODE_MODULES, join(folder, place), 'dir');
  }
  await writeFile(join(folder, 'main.js'), program);
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  for (const variant of ['plain', 'precompiled']) {
    await build({
      root: folder,
      configFile: false,
      logLevel: 'error',
      ssr: { noExternal: true },
      plugins: variant === 'plain' ? [] : [wasmPrecompile({ targets: nodes.map(({ path }) => path) })],
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
  // The code expects its wasm file where it was beside it, or in the folder above.
  for (const place of ['plain', '.']) {
    await copyFile(join(NODE_MODULES, wasm), join(folder, place, basename(wasm)));
  }
  const script = join(folder, 'start.js');
  await writeFile(script, MEASURE);
  return script;
}
