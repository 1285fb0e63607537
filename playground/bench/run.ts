/**
 * `npm run bench`: builds real modules with and without the plugin, and starts them in fresh processes. It
 * prints the times, their growth with the size of a module, and the times of other plugins. Exit codes: 0
 * success, 1 failure, 2 wrong usage.
 */
import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findArtifacts } from '../../src/report/find-artifacts.ts';
import type { BenchResult, ReportData } from '../../src/report/report-data.ts';
import { fail } from '../support/arguments.ts';
import { measureCases } from '../support/cases.ts';
import { describeMachine, today } from '../../src/report/machine.ts';
import { measureStartups } from '../../src/report/measure-startups.ts';
import { writeReport } from '../../src/report/write-report.ts';
import { findNodes, isInstalled } from '../support/nodes.ts';
import { createProgressLine } from '../support/progress.ts';
import { buildModules, type BuiltModule } from './builds.ts';
import type { BenchContext } from './context.ts';
import { measureGrowth } from './growth.ts';
import { chooseModules, describeModule, findModules, type ModuleFolder } from './modules.ts';
import { measurePeers } from './peers/measure.ts';
import { describeCommand, type Part, readSettings, type Settings } from './settings.ts';
import { formatResult } from './table.ts';

/** Inside the project, so that the built programs find the project's packages. */
const OUTPUT = fileURLToPath(new URL('dist/', import.meta.url));

const args = process.argv.slice(2);
try {
  const settings = readSettings(args);
  const modules = await findWanted(settings);
  const nodes = await findNodes(settings.node);
  if (!existsSync(fileURLToPath(new URL('../../dist/vite.js', import.meta.url)))) {
    throw new Error('the plugin is not built: run `npm run build` first');
  }
  const { json, report, parts, rounds, timeLimit, quick } = settings;
  // Fail before the measurement if the folder cannot be created.
  if (json !== undefined) await mkdir(dirname(resolve(json)), { recursive: true });
  const folder = await createFolder();
  const context = { folder, nodes, rounds, timeLimit, quick, progress: createProgressLine() };
  const { result, ...contents } = await run(context, modules, parts, report !== undefined).finally(() =>
    rm(folder, { recursive: true, force: true }),
  );
  console.log(formatResult(result));
  if (json !== undefined) await writeFile(json, `${JSON.stringify(result, null, 2)}\n`);
  if (report !== undefined) {
    const { machine, date, command } = result;
    await writeReport(resolve(report), {
      title: 'WebAssembly benchmark',
      machine,
      date,
      command,
      ...contents,
      bench: result,
    });
    console.log(`The report page is ${report}`);
  }
  if (isEmpty(result)) throw new Error('no result could be measured');
} catch (error) {
  fail('bench', error);
}

async function findWanted({ modules: folder, module: names, quick }: Settings): Promise<ModuleFolder[]> {
  const modules = await findModules(resolve(folder));
  if (names !== undefined) return chooseModules(modules, names);
  return quick ? modules.filter((each) => each.quick) : modules;
}

/** Creates the output folder, which is also removed if the benchmark is interrupted. */
async function createFolder(): Promise<string> {
  await mkdir(OUTPUT, { recursive: true });
  const folder = await mkdtemp(join(OUTPUT, 'run-'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      rmSync(folder, { recursive: true, force: true });
      process.kill(process.pid, signal);
    });
  }
  return folder;
}

async function run(
  context: BenchContext,
  modules: readonly ModuleFolder[],
  parts: readonly Part[],
  withReport: boolean,
): Promise<{ result: BenchResult } & ReportContents> {
  const built = parts.includes('modules') ? await buildModules(modules, context) : [];
  const setups = built.flatMap(({ module, programs }) =>
    context.nodes.map((node) => ({ module: module.name, node, programs, args: [] })),
  );
  const cases = await measureCases(setups, { ...context, what: 'Modules' });
  const growth = parts.includes('growth') ? await measureGrowth(context) : { points: [], missing: [] };
  const peers = parts.includes('peers') ? await measurePeers(context) : [];
  const result = {
    machine: describeMachine(),
    date: today(),
    command: describeCommand(args),
    rounds: context.rounds,
    modules: built.map(({ module }) => describeModule(module)),
    cases,
    builds: built.flatMap(({ builds }) => builds),
    growth: growth.points,
    peers,
    missing: growth.missing,
  };
  return {
    result,
    ...(withReport ? await collectReportContents(built, context) : { artifacts: [], startups: [] }),
  };
}

/** Contents of the page besides figures. */
type ReportContents = Pick<ReportData, 'artifacts' | 'startups'>;

/** Returns the contents of the trained artifacts, and one startup of each, on the last node. */
async function collectReportContents(
  built: readonly BuiltModule[],
  { nodes }: BenchContext,
): Promise<ReportContents> {
  const contents: ReportContents = { artifacts: [], startups: [] };
  const node = nodes.filter(isInstalled).at(-1);
  for (const { programs } of built) {
    if (node === undefined || programs.profile.missing !== undefined) continue;
    const { file } = programs.profile;
    const { startups } = await measureStartups([node.path, file], { output: () => {} });
    contents.startups.push(...startups);
    contents.artifacts.push(...(await findArtifacts(dirname(file))).artifacts);
  }
  return contents;
}

function isEmpty({ cases, growth, peers }: BenchResult): boolean {
  const measured = [
    ...cases.flatMap(({ modes }) => Object.values(modes)),
    ...peers.map(({ outcome }) => outcome),
  ].filter(({ missing }) => missing === undefined);
  return measured.length === 0 && growth.length === 0;
}
