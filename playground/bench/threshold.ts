/**
 * `npm run bench:threshold`: from which size on native code pays. Generated modules of 16 KiB to 1 MiB, plain against
 * precompiled, from before the file is touched until the first result.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateModule } from './generate.ts';
import { createScript, runPairs } from './pairs.ts';

/** KiB. */
const SIZES = [16, 32, 64, 128, 256, 512, 1024];

/** Every third function runs, as of sql.js at its start (641 of 1968), or all of them: labels and strides. */
const SHARES = [
  ['a third runs', 3],
  ['all run', 1],
] as const;

const MEASURE = `
import { fromFile } from './runtime/node/plain.js';
import { pathToFileURL } from 'node:url';
const start = performance.now();
const loader = variant === 'plain' ? fromFile(pathToFileURL(wasm).href) : create();
const module = await loader.load();
const { exports } = await WebAssembly.instantiate(module, {});
exports.run(1);
console.log(JSON.stringify({ total: performance.now() - start }));
`;

await runPairs({
  name: 'bench:threshold',
  description: 'From which size on native code pays.',
  variants: ['plain', 'precompiled'],
  async cases(folder, nodes, progress) {
    const cases = [];
    for (const size of SIZES) {
      progress.update(`Compiling ${size} KiB …`);
      for (const [share, stride] of SHARES) {
        const place = join(folder, `${size}-${stride}`);
        const wasm = join(folder, `${size}-${stride}.wasm`);
        await writeFile(wasm, generateModule(size * 1024, stride));
        const script = await createScript(place, wasm, nodes, MEASURE);
        for (const node of nodes) cases.push({ label: `${size} KiB, ${share}`, node, script });
      }
    }
    return cases;
  },
  legend: `Milliseconds, medians of fresh processes. Ratio: precompiled to plain, median of the pairs (least–greatest).
total  from before the file is touched until the first result`,
});
