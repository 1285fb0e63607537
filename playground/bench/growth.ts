/** Measures how cost grows with the size of a module: generated modules, of which a third runs, on one Node. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BENCH_MODES,
  type BenchBuild,
  type BenchCase,
  type GrowthPoint,
} from '../../src/report/report-data.ts';
import { median } from '../../src/report/statistics.ts';
import { formatBytes } from '../../src/common/format-bytes.ts';
import { measureCases } from '../support/cases.ts';
import { latestNode } from '../support/nodes.ts';
import { describeMissing } from '../support/table.ts';
import { buildModules } from './builds.ts';
import type { BenchContext } from './context.ts';
import { generateModule } from './generate.ts';
import type { ModuleFolder } from './modules.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Bytes. */
const SIZES = {
  full: [100 * KIB, 300 * KIB, MIB, 3 * MIB, 10 * MIB, 30 * MIB, 50 * MIB],
  quick: [100 * KIB, 500 * KIB, 2 * MIB],
};

const STRIDE = 3;

/** Maximum number of rounds: enough for a slope. */
const ROUNDS = 5;

const WORKLOAD = `import init from './module.wasm?init';

export async function start(stopwatch) {
  const { exports } = await init();
  stopwatch.lap('load');
  stopwatch.lap('instantiate');
  const result = exports.run(1);
  stopwatch.lap('call');
  return result;
}
`;

export async function measureGrowth(
  context: BenchContext,
): Promise<{ points: GrowthPoint[]; missing: string[] }> {
  const node = latestNode(context.nodes);
  if (!node) return { points: [], missing: ['Growth: no Node is installed'] };
  const folder = join(context.folder, 'growth');
  const sizes = SIZES[context.quick ? 'quick' : 'full'];
  const modules = await Promise.all(sizes.map((size) => createModule(size, folder)));
  const built = await buildModules(modules, { ...context, folder, nodes: [node] });
  const setups = built.map(({ module, programs }) => ({ module: module.name, node, programs, args: [] }));
  const rounds = Math.min(context.rounds, ROUNDS);
  const cases = await measureCases(setups, { ...context, rounds, what: 'Growth' });
  const points = cases.flatMap((one, index) => {
    const { module, builds } = built[index] ?? {};
    return module && builds ? toPoints(one, module, builds) : [];
  });
  return { points, missing: describeMissing(cases) };
}

async function createModule(size: number, parent: string): Promise<ModuleFolder> {
  const id = `generated-${size / KIB}-KiB`;
  const folder = join(parent, 'modules', id);
  await mkdir(folder, { recursive: true });
  const bytes = generateModule(size, STRIDE);
  const workload = join(folder, 'workload.js');
  await writeFile(workload, WORKLOAD);
  await writeFile(join(folder, 'module.wasm'), bytes);
  const name = `generated, ${formatBytes(size)}`;
  return {
    id,
    name,
    workload,
    toolchain: 'generated',
    note: '',
    wasmSize: bytes.length,
    external: [],
    quick: true,
  };
}

/** Returns a point for each mode that was built and measured. */
function toPoints(
  { node, modes }: BenchCase,
  module: ModuleFolder,
  builds: readonly BenchBuild[],
): GrowthPoint[] {
  return BENCH_MODES.flatMap((mode) => {
    const measured = modes[mode];
    const build = builds.find((each) => each.mode === mode);
    if (!build || measured.missing !== undefined) return [];
    const { samples } = measured;
    return {
      node,
      mode,
      wasmSize: module.wasmSize,
      fileSize: build.outputSize,
      buildSeconds: build.coldSeconds,
      load: median(samples.map(({ load }) => load)),
      total: median(samples.map(({ total }) => total)),
      peakMemory: median(samples.map(({ peakMemory }) => peakMemory)),
    };
  });
}
