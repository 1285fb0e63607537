/**
 * `npm run bench:threshold`: finds the size above which native code is faster. Measures generated modules of 16
 * KiB to 1 MiB, baseline and precompiled, from just before the file is opened until the first result.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateModule } from './generate.ts';
import { createScript, runPairs } from './pairs.ts';

/** KiB. */
const SIZES = [16, 32, 64, 128, 256, 512, 1024];

/** Labels and strides: every third function runs, as at the startup of sql.js (641 of 1968), or all of them. */
const SHARES = [
  ['a third runs', 3],
  ['all run', 1],
] as const;

const MEASURE = `
import { fromFile } from './runtime/node/plain.js';
import { pathToFileURL } from 'node:url';
const start = performance.now();
const handle = variant === 'baseline' ? fromFile(pathToFileURL(wasm).href) : create();
const module = await handle.load();
const { exports } = await WebAssembly.instantiate(module, {});
exports.run(1);
console.log(JSON.stringify({ total: performance.now() - start }));
`;

await runPairs({
  name: 'bench:threshold',
  description: 'Find the size above which native code is faster.',
  variants: ['baseline', 'precompiled'],
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
  legend: `Milliseconds, medians of fresh processes. Ratio: precompiled to baseline, median of the pairs (minimum–maximum).
total  from just before the file is opened until the first result`,
});
