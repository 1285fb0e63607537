/**
 * `npm run bench:blocked`: for how long a load keeps the main thread from anything else. For @swc/wasm-web with native
 * code for all functions (18 MB of wasm, 43 MB of native code), loaded synchronously and asynchronously.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createScript, runPairs } from './pairs.ts';

const SWC = fileURLToPath(new URL('../../node_modules/@swc/wasm-web/wasm_bg.wasm', import.meta.url));

/** What Node's event loop does not spend waiting is what it is blocked. It knows that only once it turns. */
const MEASURE = `
await new Promise((resolve) => setImmediate(resolve));
const before = performance.eventLoopUtilization();
const start = performance.now();
const loader = create();
const module = variant === 'sync' ? loader.loadSync() : await loader.load();
const total = performance.now() - start;
// What ends after the load, such as threads, counts, too.
await new Promise((resolve) => setTimeout(resolve, 100));
const { active } = performance.eventLoopUtilization(before);
if (WebAssembly.Module.exports(module).length === 0) throw new Error('this is another module');
console.log(JSON.stringify({ blocked: active, total }));
`;

await runPairs({
  name: 'bench:blocked',
  description: 'How long a load blocks the main thread, synchronous and asynchronous.',
  variants: ['sync', 'async'],
  async cases(folder, nodes, progress) {
    progress.update('Compiling (the first time takes up to a minute) …');
    const script = await createScript(join(folder, 'swc'), SWC, nodes, MEASURE);
    return nodes.map((node) => ({ label: '@swc/wasm-web', node, script }));
  },
  legend: `Milliseconds, medians of fresh processes. Ratio: async to sync, median of the pairs (least–greatest).
blocked  the main thread's event loop is busy, from the load's start until 100 ms after its end
total    until the module is there`,
});
