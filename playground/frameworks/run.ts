/**
 * `npm run playground:frameworks`: installs the packed plugin into an application of each framework, and builds
 * and starts it. It requests two routes from the server, and prints how their modules were loaded. Each
 * application has its own packages in its own folder.
 */
import { cp, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { execa } from 'execa';
import { formatTable } from '../../src/cli/format-table.ts';
import { messageOf } from '../../src/common/error.ts';
import { findFreePort } from '../../test/support/free-port.ts';
import { fail, parseList, UsageError } from '../support/arguments.ts';
import { type Load, parseLoads } from '../support/loads.ts';
import { chooseNodes, type InstalledNode } from '../support/nodes.ts';

interface Framework {
  /** Name of the folder, unless `folder` is set. */
  name: string;
  folder?: string;
  /** The package whose version is printed. */
  framework: string;
  /** Variables of the build. */
  env?: Record<string, string>;
  /** A folder with everything that the server needs: it is copied elsewhere, and started there. */
  deploy?: string;
  /** Arguments of node, relative to the folder that is deployed, or to the application. */
  start: string[];
}

const FRAMEWORKS: readonly Framework[] = [
  { name: 'sveltekit', framework: '@sveltejs/kit', start: ['build/index.js'] },
  { name: 'nuxt', framework: 'nuxt', deploy: '.output', start: ['server/index.mjs'] },
  { name: 'astro', framework: 'astro', start: ['dist/server/entry.mjs'] },
  { name: 'next', framework: 'next', start: ['node_modules/next/dist/bin/next', 'start'] },
  {
    name: 'next-standalone',
    folder: 'next',
    framework: 'next',
    env: { NEXT_STANDALONE: '1' },
    deploy: '.next/standalone',
    start: ['server.js'],
  },
  { name: 'nitro', framework: 'nitro', deploy: '.output', start: ['server/index.mjs'] },
];

interface Route {
  path: string;
  /** The name of its wasm file begins with this. */
  module: string;
  /** @throws Error if the response is wrong */
  check: (response: Response) => Promise<void>;
}

/** Pixels. */
const PICTURE_SIZE = 64;

const ROUTES: readonly Route[] = [
  // Imports its wasm file.
  { path: `/picture?size=${PICTURE_SIZE}`, module: 'index_bg', check: checkPicture },
  // Imports sql.js, which loads its own wasm file, and which the framework leaves outside the bundle.
  { path: '/rows', module: 'sql-wasm', check: checkRows },
];

interface Result {
  framework: Framework;
  version: string;
  /** Seconds of the build. */
  seconds: number;
  loads: Load[];
}

interface Settings {
  node: string;
  only: string[];
}

const HERE = fileURLToPath(new URL('.', import.meta.url));
const CHECKOUT = join(HERE, '../..');

/** Seconds for a server to answer. */
const START_LIMIT = 30;

const NAMES = FRAMEWORKS.map(({ name }) => name);

const command = new Command('npm run playground:frameworks --')
  .description('Build and start an application of each framework with the plugin.')
  .option('--node <version>', 'Node version that builds and runs them; most need 22', '22')
  .addOption(
    new Option('--only <names>', `some of ${NAMES.join(', ')}, separated by commas`)
      .argParser(parseList)
      .default(NAMES, 'all'),
  )
  .allowExcessArguments(false)
  .exitOverride();

try {
  await run(command.parse().opts<Settings>());
} catch (error) {
  fail('playground:frameworks', error);
}

async function run({ node: wanted, only }: Settings): Promise<void> {
  const unknown = only.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`unknown framework "${unknown}": expected some of ${NAMES.join(', ')}`);
  }
  const [node] = await chooseNodes([wanted]);
  if (!node) throw new UsageError(`no Node ${wanted}`);
  const plugin = await pack();
  const rows: string[][] = [['framework', 'version', 'build', 'route', 'module', 'loaded']];
  let failed = false;
  for (const framework of FRAMEWORKS.filter(({ name }) => only.includes(name))) {
    try {
      const result = await tryFramework(framework, node, plugin);
      rows.push(...describe(result));
      failed ||= ROUTES.some((route) => !isPrecompiled(loadsOf(route, result)));
    } catch (error) {
      failed = true;
      rows.push([framework.name, '', '', '', '', `failed: ${messageOf(error)}`]);
    }
  }
  console.log(`${formatTable(rows)}\nNode ${node.version}.`);
  if (failed) process.exitCode = 1;
}

function describe(result: Result): string[][] {
  const { framework, version, seconds } = result;
  return ROUTES.flatMap((route) => {
    const start = [framework.name, version, `${seconds.toFixed(1)} s`, route.path.replace(/\?.*/, '')];
    const loads = loadsOf(route, result);
    if (loads.length === 0) return [[...start, route.module, 'compiled: the plugin did not load it']];
    return loads.map(({ file, precompiled, detail, access }) => [
      ...start,
      basename(file),
      precompiled ? `precompiled, ${access}` : `compiled: ${detail}`,
    ]);
  });
}

function loadsOf({ module }: Route, { loads }: Result): Load[] {
  return loads.filter(({ file }) => basename(file).startsWith(module));
}

function isPrecompiled(loads: readonly Load[]): boolean {
  return loads.length > 0 && loads.every(({ precompiled }) => precompiled);
}

/** Packs the plugin as for npm. Returns the path of the package. */
async function pack(): Promise<string> {
  const { stdout } = await execa(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', HERE, '--loglevel=error'],
    { cwd: CHECKOUT },
  );
  const [packed] = JSON.parse(stdout) as [{ filename: string }];
  return join(HERE, packed.filename);
}

async function tryFramework(framework: Framework, node: InstalledNode, plugin: string): Promise<Result> {
  const folder = join(HERE, framework.folder ?? framework.name);
  const env = {
    // Scripts that npm runs find this node.
    PATH: [dirname(node.path), process.env['PATH']].join(delimiter),
    NODE_OPTIONS: undefined,
    ASTRO_TELEMETRY_DISABLED: '1',
    NEXT_TELEMETRY_DISABLED: '1',
    NUXT_TELEMETRY_DISABLED: '1',
    ...framework.env,
  };
  console.error(`${framework.name}: installing …`);
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  await npm(folder, env, 'install', '--no-save', '--no-package-lock', '--ignore-scripts', ...quiet, plugin);
  console.error(`${framework.name}: building …`);
  const start = performance.now();
  await npm(folder, env, 'run', 'build');
  const seconds = (performance.now() - start) / 1000;
  const manifest = await readFile(join(folder, 'node_modules', framework.framework, 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const { deploy, start: program } = framework;
  const loads =
    deploy === undefined
      ? await serve(program, folder, node, env)
      : await deployed(join(folder, deploy), (copy) => serve(program, copy, node, env));
  return { framework, version, seconds, loads };
}

/** Copies a folder to a place without packages, and renames it meanwhile: the copy must not refer to it. */
async function deployed<T>(folder: string, use: (copy: string) => Promise<T>): Promise<T> {
  const temporary = await mkdtemp(join(tmpdir(), 'wasm-precompile-'));
  const copy = join(temporary, 'app');
  const renamed = `${folder}.renamed`;
  try {
    await cp(folder, copy, { recursive: true, verbatimSymlinks: true });
    await rename(folder, renamed);
    return await use(copy);
  } finally {
    await rename(renamed, folder).catch(() => {});
    await rm(temporary, { recursive: true, force: true });
  }
}

/** @throws Error with the last lines of the output */
async function npm(
  folder: string,
  env: Record<string, string | undefined>,
  ...args: string[]
): Promise<void> {
  const { exitCode, all } = await execa('npm', args, {
    cwd: folder,
    env,
    all: true,
    reject: false,
    stdin: 'ignore',
  });
  if (exitCode !== 0) throw new Error(`npm ${args[0]} ended with ${exitCode}:\n${all.slice(-2000)}`);
}

/** Starts the server, requests each route twice, and ends it. */
async function serve(
  start: readonly string[],
  folder: string,
  node: InstalledNode,
  env: Record<string, string | undefined>,
): Promise<Load[]> {
  const port = await findFreePort();
  const server = execa(node.path, start, {
    cwd: folder,
    env: {
      ...env,
      PORT: String(port),
      HOST: '127.0.0.1',
      HOSTNAME: '127.0.0.1',
      NODE_ENV: 'production',
      NODE_DEBUG: 'wasm-precompile',
    },
    all: true,
    reject: false,
    stdin: 'ignore',
  });
  try {
    for (const { path, check } of ROUTES) {
      const url = `http://127.0.0.1:${port}${path}`;
      // One route after another: the first request waits for the server.
      // oxlint-disable-next-line no-await-in-loop
      await check(await Promise.race([requestWithRetries(url), endOf(server)]));
      // oxlint-disable-next-line no-await-in-loop
      await check(await fetch(url));
    }
  } finally {
    server.kill();
  }
  return parseLoads((await server).all);
}

async function endOf(server: PromiseLike<{ all: string }>): Promise<never> {
  const { all } = await server;
  throw new Error(`the server ended:\n${all.slice(-2000)}`);
}

/** Retries until the server listens. */
async function requestWithRetries(url: string): Promise<Response> {
  const deadline = performance.now() + START_LIMIT * 1000;
  for (;;) {
    try {
      return await fetch(url);
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`the server did not listen within ${START_LIMIT} s`, { cause: error });
      }
      await wait(100);
    }
  }
}

/** @throws Error unless the response is a PNG file of the right width */
async function checkPicture(response: Response): Promise<void> {
  const bytes = Buffer.from(await response.arrayBuffer());
  const isPicture = bytes.subarray(1, 4).toString('latin1') === 'PNG';
  if (response.ok && isPicture && bytes.readUInt32BE(16) === PICTURE_SIZE) return;
  throw new Error(`the server answered ${response.status} ${bytes.subarray(0, 500).toString()}`);
}

/** @throws Error unless the response is a JSON text with 42 */
async function checkRows(response: Response): Promise<void> {
  const text = await response.text();
  if (response.ok && /\b42\b/.test(text)) return;
  throw new Error(`the server answered ${response.status} ${text.slice(0, 500)}`);
}
