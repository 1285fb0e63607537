/** The output of `npm run bench`. */
import { formatTable } from '../../src/cli/format-table.ts';
import { formatBytes } from '../../src/common/format-bytes.ts';
import type {
  BenchModule,
  BenchBuild,
  BenchResult,
  GrowthPoint,
  PeerResult,
} from '../../src/report/report-data.ts';
import { logSlope, median, pairRatios } from '../../src/report/statistics.ts';
import { formatMebibytes, formatSpread } from '../support/figures.ts';
import { formatCases } from '../support/table.ts';

export function formatResult(result: BenchResult): string {
  const { machine, date, command, rounds, modules, cases, builds, growth, peers, missing } = result;
  return [
    ...(modules.length > 0 ? [formatModules(modules), formatCases(cases), formatBuilds(builds)] : []),
    ...(growth.length > 0 ? [formatGrowth(growth)] : []),
    ...(peers.length > 0 ? [formatPeers(peers)] : []),
    ...(missing.length > 0 ? [missing.join('\n')] : []),
    `Rounds: ${rounds}. ${machine}, ${date}. ${command}`,
  ].join('\n\n');
}

function formatModules(modules: readonly BenchModule[]): string {
  const lines = modules.map(({ name, toolchain, note, wasmSize }) => [
    name,
    formatBytes(wasmSize),
    toolchain,
    note,
  ]);
  return formatTable([['module', 'wasm', 'toolchain', 'note'], ...lines]);
}

function formatBuilds(builds: readonly BenchBuild[]): string {
  const lines = builds.map(({ module, mode, coldSeconds, cachedSeconds, outputSize, nativeSize }) => [
    module,
    mode,
    coldSeconds.toFixed(2),
    cachedSeconds.toFixed(2),
    formatMebibytes(outputSize),
    formatMebibytes(nativeSize),
  ]);
  const head = ['build', 'mode', 'cold (s)', 'cached (s)', 'output (MiB)', 'native code (MiB)'];
  return `${formatTable([head, ...lines])}

cold    with an empty cache
output  all files of the build, with native code for all Node versions in the table`;
}

function formatGrowth(points: readonly GrowthPoint[]): string {
  const values: [string, (point: GrowthPoint) => number, (value: number) => string][] = [
    ['load', ({ load }) => load, (value) => value.toFixed(1)],
    ['total', ({ total }) => total, (value) => value.toFixed(1)],
    ['memory (MiB)', ({ peakMemory }) => peakMemory, formatMebibytes],
    ['output (MiB)', ({ fileSize }) => fileSize, formatMebibytes],
    ['build (s)', ({ buildSeconds }) => buildSeconds, (value) => value.toFixed(1)],
  ];
  const head = ['generated module', 'Node', 'mode', ...values.map(([label]) => label)];
  const lines = points.map((point) => [
    formatBytes(point.wasmSize),
    point.node,
    point.mode,
    ...values.map(([, value, format]) => format(value(point))),
  ]);
  const slopes = [...new Set(points.map(({ mode }) => mode))].map((mode) => {
    const own = points.filter((point) => point.mode === mode);
    return [
      'slope',
      '',
      mode,
      ...values.map(([, value]) =>
        logSlope(own.map((point) => ({ x: point.wasmSize, y: value(point) }))).toFixed(2),
      ),
    ];
  });
  return `${formatTable([head, ...lines, ...slopes])}

slope  of the logarithms: 1 is proportional to the size of the module, 0 does not grow`;
}

/** Compares each result with the first one of the same task, and lists the reasons for missing results. */
function formatPeers(peers: readonly PeerResult[]): string {
  const head = ['task', 'Node', 'bundler', 'first result (ms)', 'output (MiB)', 'to the first', '(min–max)'];
  const missing: string[] = [];
  const lines = peers.map(({ peer, module, node, outcome }) => {
    if (outcome.missing !== undefined) {
      missing.push(`Missing: ${module}, ${peer}: ${outcome.missing}`);
      return [module, node, peer, 'missing'];
    }
    const first = peers.find((each) => each.module === module && each.outcome.missing === undefined)?.outcome;
    const ratio =
      first && first.missing === undefined ? formatSpread(pairRatios(first.totals, outcome.totals)) : [];
    const time = median(outcome.totals).toFixed(1);
    return [module, node, peer, time, formatMebibytes(outcome.outputSize), ...ratio];
  });
  return [formatTable([head, ...lines]), ...missing].join('\n');
}
