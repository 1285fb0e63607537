/**
 * `npm run playground`: builds the application without the plugin, precompiled, trimmed to a startup profile,
 * and split. It starts each module of each build in fresh processes, prints a table of the times, and serves
 * the pages.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { MODULES } from './app/src/modules/index.ts';
import { type BuildFacts, buildAll, MODES } from './build.ts';
import { measureApp } from './measure.ts';
import { checkPages, startServers, type Servers } from './serve.ts';
import { fail, parseCount, parseList } from './support/arguments.ts';
import { formatBytes } from '../src/common/format-bytes.ts';
import { formatTable } from '../src/cli/format-table.ts';
import { describeMachine, today } from '../src/report/machine.ts';
import { chooseNodes, DEFAULT_NODES } from './support/nodes.ts';
import { formatCases } from './support/table.ts';

interface Settings {
  node: string[];
  rounds: number;
  quick?: boolean;
  serve: boolean;
  json?: string;
}

const command = new Command('npm run playground --')
  .description(
    'Build the playground without the plugin, precompiled, trimmed to a startup profile and split; measure and serve each.',
  )
  .addOption(
    new Option('--node <versions>', 'Node versions, separated by commas: host, 20, 22, 24 …')
      .argParser(parseList)
      .default(DEFAULT_NODES, DEFAULT_NODES.join(',')),
  )
  .option('--rounds <n>', 'rounds of processes for each module and Node version', parseCount, 11)
  .option('--quick', 'only 3 rounds, as a smoke test')
  .option('--no-serve', 'request each page once and exit (default if the output is not a terminal)')
  .option('--json <file>', 'write every sample to a file')
  .allowExcessArguments(false)
  .exitOverride();

try {
  await run(command.parse().opts<Settings>());
} catch (error) {
  fail('playground', error);
}

async function run({ node, rounds: wanted, quick, serve, json }: Settings): Promise<void> {
  if (!existsSync(fileURLToPath(new URL('../dist/vite.js', import.meta.url)))) {
    throw new Error('the plugin is not built: run `npm run build` first, or `npm run playground`');
  }
  const rounds = quick ? 3 : wanted;
  const nodes = await chooseNodes(node);
  const builds = await buildAll(
    nodes.filter(({ path }) => path !== process.execPath).map(({ path }) => path),
  );
  const cases = await measureApp(nodes, rounds);
  const machine = describeMachine();

  console.log(
    `${formatCases(cases)}\n\n${builds.map(formatBuild).join('\n')}\nRounds: ${rounds}. ${machine}, ${today()}.`,
  );
  if (json !== undefined) {
    await writeFile(json, `${JSON.stringify({ machine, date: today(), rounds, builds, cases }, null, 2)}\n`);
    console.log(`All samples are in ${json}`);
  }
  await serveAll(serve && process.stdout.isTTY);
}

function formatBuild({ mode, seconds, bytes }: BuildFacts): string {
  return `Build, ${mode}: ${formatBytes(bytes)} in ${seconds.toFixed(1)} s.`;
}

async function serveAll(stay: boolean): Promise<void> {
  const servers = await startServers();
  try {
    console.log(`\n${formatTable(MODES.map((mode) => [mode, servers[mode].url]))}`);
    if (stay) {
      console.log('Press Ctrl-C to stop the servers.');
      await untilInterrupted(servers);
    } else {
      await checkPages(servers, Object.keys(MODULES));
      console.log('All pages show the three results.');
    }
  } finally {
    await servers.stop();
  }
}

async function untilInterrupted({ ended }: Servers): Promise<void> {
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), ended]);
}
