/**
 * `npm run bench:web`: measures pages that start a module, without the plugin and in each delivery. Visits are first or
 * cached, from hosts that compress or do not, over several networks. Each visit uses a fresh Chromium process.
 */
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { execa } from 'execa';
import { describeMachine, today } from '../../../src/report/machine.ts';
import { serveFolder, type StaticServer } from '../../../test/support/static-server.ts';
import { findProgram } from '../../../test/support/tools.ts';
import { fail, parseCount, parseList, UsageError } from '../../support/arguments.ts';
import { listFiles } from '../../support/folder-size.ts';
import { createProgressLine, type ProgressLine } from '../../support/progress.ts';
import { measureInTurn, type Outcome } from '../../support/rounds.ts';
import { buildPage } from '../../web/build.ts';
import { ALL_WEB_MODES, SPLIT_MODES, type WebMode } from '../../web/modes.ts';
import { findModules, MODULES_FOLDER } from '../modules.ts';
import { describeCommand } from '../settings.ts';
import { recordProfiles } from './profiles.ts';
import type { WebBenchResult, WebCase, WebOutcome } from './result.ts';
import { formatWebResult } from './table.ts';
import {
  createProfile,
  type Network,
  NETWORKS,
  type PageSample,
  prime,
  removeProfile,
  visit,
} from './visit.ts';

const APP = fileURLToPath(new URL('app/', import.meta.url));

/** Modules of the benchmark, with their pages. */
const PAGES: Readonly<Record<string, string>> = { 'sql.js': 'sql.ts', resvg: 'resvg.ts', swc: 'swc.ts' };

const VISITS = ['first', 'cached'] as const;

const NETWORK_IDS = NETWORKS.map(({ id }) => id);

interface Settings {
  module: string[];
  mode: WebMode[];
  visit: (typeof VISITS)[number][];
  network: string[];
  rounds: number;
  json?: string;
}

/** One build on one server. */
interface Host {
  mode: WebMode;
  compressed: boolean;
  server: StaticServer;
}

interface Sample extends PageSample {
  bytes: number;
}

try {
  await run(readSettings(process.argv.slice(2)));
} catch (error) {
  fail('bench:web', error);
}

function readSettings(args: readonly string[]): Settings {
  return new Command('npm run bench:web --')
    .description('Measure pages in Chromium, with and without the plugin.')
    .addOption(
      new Option('--module <names>', 'modules, separated by commas')
        .argParser(parseList)
        .default(Object.keys(PAGES), Object.keys(PAGES).join(',')),
    )
    .addOption(
      new Option(
        '--mode <names>',
        `vite (without the plugin), stream, range, inflate, link, ${SPLIT_MODES.join(', ')}`,
      )
        .argParser((value) => chooseFrom(ALL_WEB_MODES, value, 'mode'))
        .default([...ALL_WEB_MODES], 'all'),
    )
    .addOption(
      new Option('--visit <names>', VISITS.join(', '))
        .argParser((value) => chooseFrom(VISITS, value, 'visit'))
        .default([...VISITS], 'both'),
    )
    .addOption(
      new Option('--network <names>', 'Mbit/s: 10, 100, local')
        .argParser((value) => chooseFrom(NETWORK_IDS, value, 'network'))
        .default([...NETWORK_IDS], 'all'),
    )
    .option('--rounds <n>', 'rounds of visits', parseCount, 5)
    .option('--json <file>', 'write all samples to a file')
    .allowExcessArguments(false)
    .exitOverride()
    .parse(args, { from: 'user' })
    .opts<Settings>();
}

function chooseFrom<Name extends string>(known: readonly Name[], value: string, what: string): Name[] {
  return parseList(value).map((name) => {
    const found = known.find((each) => each === name);
    if (!found) throw new UsageError(`unknown ${what} "${name}": expected some of ${known.join(', ')}`);
    return found;
  });
}

async function run(settings: Settings): Promise<void> {
  const { module, rounds, json } = settings;
  const chromium = findProgram('chromium');
  if (chromium === undefined)
    throw new Error('chromium is not installed: run `npm run setup`, or install it');
  const folder = await mkdtemp(join(tmpdir(), 'bench-web-'));
  const progress = createProgressLine();
  const cases: WebCase[] = [];
  try {
    for (const name of module) cases.push(...(await measureModule(name, settings, folder, progress)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const result: WebBenchResult = {
    machine: describeMachine(),
    date: today(),
    command: describeCommand(process.argv.slice(2)).replace('npm run bench', 'npm run bench:web'),
    browser: (await execa(chromium, ['--version'])).stdout.split(' ').slice(0, 2).join(' '),
    rounds,
    cases,
  };
  console.log(formatWebResult(result));
  if (json !== undefined) await writeFile(json, `${JSON.stringify(result, null, 2)}\n`);
}

async function measureModule(
  name: string,
  { mode: modes, visit: visits, network: networkIds, rounds }: Settings,
  folder: string,
  progress: ProgressLine,
): Promise<WebCase[]> {
  const page = PAGES[name];
  if (page === undefined) {
    throw new UsageError(`unknown module "${name}": expected some of ${Object.keys(PAGES).join(', ')}`);
  }
  const wasmSize = (await findModules(MODULES_FOLDER)).find(({ id }) => id === name)?.wasmSize ?? 0;
  const hosts: Host[] = [];
  const profiles = new Map<Host, string>();
  const cases: WebCase[] = [];
  try {
    const workload = resolveWorkload(page);
    let recorded: string | undefined;
    for (const mode of modes) {
      const isSplit = SPLIT_MODES.some((known) => known === mode);
      if (isSplit && recorded === undefined) {
        progress.update(`${name}: recording a startup profile …`);
        recorded = await recordProfiles(join(folder, name), workload);
      }
      progress.update(`${name}: building ${mode} …`);
      const dir = join(folder, name, mode);
      await buildPage(APP, mode, dir, { plugins: [workload], profile: isSplit ? recorded : undefined });
      // As on a real host: Chromium does not cache ranges of files that were modified just now.
      const hourAgo = Date.now() / 1000 - 3600;
      for (const file of await listFiles(dir)) await utimes(file, hourAgo, hourAgo);
      for (const compressed of [false, true]) {
        hosts.push({
          mode,
          compressed,
          server: await serveFolder(dir, {
            ...(compressed && { compress: 'brotli' }),
            headers: { 'cache-control': 'public, max-age=31536000, immutable' },
          }),
        });
      }
    }
    const measure = async (
      conditions: Pick<WebCase, 'visit' | 'compressed'>,
      network: Network,
      profileOf: (host: Host) => Promise<string>,
    ) => {
      const own = hosts.filter(({ compressed }) => compressed === conditions.compressed);
      const what = `${name}, ${conditions.visit} visit, ${network.name}, ${conditions.compressed ? '' : 'not '}compressed`;
      const outcomes = await measureInTurn(
        own.map((host) => async () => {
          const profile = await profileOf(host);
          const before = host.server.answers.length;
          const sample = await visit(profile, host.server.url, network);
          if (conditions.visit === 'first') await removeProfile(profile);
          const answers = host.server.answers.slice(before);
          return { ...sample, bytes: answers.reduce((sum, { bytes }) => sum + bytes, 0) };
        }),
        rounds,
        progress,
        what,
      );
      cases.push({
        module: name,
        wasmSize,
        ...conditions,
        network: network.name,
        modes: own.map(({ mode }, index) => ({ mode, outcome: summarize(outcomes, index) })),
      });
    };
    const networks = NETWORKS.filter(({ id }) => networkIds.includes(id));
    for (const network of visits.includes('first') ? networks : []) {
      for (const compressed of [true, false]) {
        await measure({ visit: 'first', compressed }, network, createProfile);
      }
    }
    const cachedOn = visits.includes('cached') ? networks : [];
    for (const host of hosts.filter(({ compressed }) => compressed && cachedOn.length > 0)) {
      progress.update(`${name}: filling the cache, ${host.mode} …`);
      const profile = await createProfile();
      profiles.set(host, profile);
      await prime(profile, host.server.url);
      await prime(profile, host.server.url);
    }
    for (const network of cachedOn) {
      await measure({ visit: 'cached', compressed: true }, network, async (host) => profiles.get(host) ?? '');
    }
  } finally {
    for (const { server } of hosts) await server.close();
    for (const profile of profiles.values()) await removeProfile(profile);
  }
  return cases;
}

/** If a mode computes another result than the first one, its result is missing. */
function summarize(outcomes: readonly Outcome<Sample>[], index: number): WebOutcome {
  const [first] = outcomes;
  const outcome = outcomes[index];
  if (!outcome || outcome.missing !== undefined)
    return { missing: outcome?.missing ?? 'nothing was measured' };
  const { samples } = outcome;
  if (first?.missing === undefined && samples[0]?.result !== first?.samples[0]?.result) {
    return { missing: 'its result differs' };
  }
  return {
    totals: samples.map(({ total }) => total),
    blocked: samples.map(({ blocked }) => blocked),
    bytes: Math.max(...samples.map(({ bytes }) => bytes)),
  };
}

function resolveWorkload(page: string) {
  return {
    name: 'bench:web-workload',
    enforce: 'pre' as const,
    resolveId: {
      filter: { id: /^web:workload$/ },
      handler: () => fileURLToPath(new URL(`../../web/workloads/${page}`, import.meta.url)),
    },
  };
}
