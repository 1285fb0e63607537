/**
 * `npm run playground`: builds the application plain, precompiled and trained, starts each module of each build in
 * fresh processes, prints a table of the times to the first result, and serves the pages.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, Option } from 'commander';
import type { ModuleName } from './app/src/modules/index.ts';
import { parseList, parseCount } from './arguments.ts';
import { type BuildFacts, buildAll } from './build.ts';
import { measure, type Case } from './measure.ts';
import { chooseNodes, DEFAULT_NODES } from './nodes.ts';
import { checkPages, startServers, type Servers } from './serve.ts';
import { describeMachine, formatBuilds, formatLegend, formatTable } from './table.ts';

const MODULES: readonly ModuleName[] = ['sql.js', '@resvg/resvg-wasm', '@swc/wasm-web'];

/** What `--json` writes. */
export interface PlaygroundResult {
  machine: string;
  rounds: number;
  builds: BuildFacts[];
  cases: Case[];
}

interface Settings {
  node: string[];
  rounds: number;
  quick?: boolean;
  serve: boolean;
  json?: string;
}

const command = new Command('npm run playground --')
  .description('Build the playground plain, precompiled and trained, measure and serve each.')
  .addOption(
    new Option('--node <versions>', 'Node versions, separated by commas: host, 20, 22, 24 …')
      .argParser(parseList)
      .default(DEFAULT_NODES, DEFAULT_NODES.join(',')),
  )
  .option('--rounds <n>', 'rounds of processes for each module and Node version', parseCount, 11)
  .option('--quick', '3 rounds: to see that it works')
  .option('--no-serve', 'request each page once and exit; so, too, where the output is not a terminal')
  .option('--json <file>', 'write every sample to a file')
  .allowExcessArguments(false)
  .exitOverride();

try {
  await run(command.parse().opts<Settings>());
} catch (error) {
  // Commander has printed what is wrong with the arguments, or the help.
  if (!(error instanceof CommanderError)) console.error(`playground: ${explain(error)}`);
  process.exitCode = error instanceof CommanderError ? error.exitCode : 1;
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
  const cases = await measure(MODULES, nodes, rounds);
  const machine = describeMachine();

  console.log(
    `${formatTable(cases)}\n\n${formatLegend(cases)}\n\n${formatBuilds(builds)}\nRounds: ${rounds}. ${machine}`,
  );
  if (json !== undefined) await writeJson(json, { machine, rounds, builds, cases });
  await serveAll(cases, serve && process.stdout.isTTY);
}

async function writeJson(file: string, result: PlaygroundResult): Promise<void> {
  await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`Every sample is in ${file}`);
}

async function serveAll(cases: readonly Case[], stay: boolean): Promise<void> {
  const servers = await startServers();
  try {
    console.log(
      `\nPlain:       ${servers.plain.url}\nPrecompiled: ${servers.precompiled.url}\nTrained:     ${servers.trained.url}`,
    );
    if (stay) {
      console.log('Ctrl-C ends them.');
      await untilInterrupted(servers);
    } else {
      await checkPages(servers, new Map(cases.map(({ module, digest }) => [module, digest])));
      console.log('All pages answered with the three results.');
    }
  } finally {
    await servers.stop();
  }
}

async function untilInterrupted({ ended }: Servers): Promise<void> {
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), ended]);
}

function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
