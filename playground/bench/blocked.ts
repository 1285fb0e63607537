/**
 * `npm run bench:blocked`: measures for how long a load blocks the main thread. Loads @swc/wasm-web with native
 * code for all functions (17 MiB of wasm, 41 MiB of native code), synchronously and asynchronously.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createScript, runPairs } from './pairs.ts';

const SWC = fileURLToPath(new URL('../../node_modules/@swc/wasm-web/wasm_bg.wasm', import.meta.url));

/** The event loop is blocked when it is not idle. Node measures this only after the first iteration of the loop. */
const MEASURE = `
await new Promise((resolve) => setImmediate(resolve));
const before = performance.eventLoopUtilization();
const start = performance.now();
const handle = create();
const module = variant === 'sync' ? handle.loadSync() : await handle.load();
const total = performance.now() - start;
// Work that ends after the load, for example of threads, also counts.
await new Promise((resolve) => setTimeout(resolve, 100));
const { active } = performance.eventLoopUtilization(before);
if (WebAssembly.Module.exports(module).length === 0) throw new Error('this is another module');
console.log(JSON.stringify({ blocked: active, total }));
`;

await runPairs({
  name: 'bench:blocked',
  description: 'Measure how long a load blocks the main thread, synchronous and asynchronous.',
  variants: ['sync', 'async'],
  async cases(folder, nodes, progress) {
    progress.update('Compiling (takes up to a minute the first time) …');
    const script = await createScript(join(folder, 'swc'), SWC, nodes, MEASURE);
    return nodes.map((node) => ({ label: '@swc/wasm-web', node, script }));
  },
  legend: `Milliseconds, medians of fresh processes. Ratio: async to sync, median of the pairs (minimum–maximum).
blocked  the main thread's event loop is busy, from the beginning of the load until 100 ms after its end
total    until the module is loaded`,
});
