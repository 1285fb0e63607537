/** Measures other bundlers and plugins in turn on the same tasks: time to the first result, and size of the output. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { messageOf } from '../../../src/common/error.ts';
import type { PeerResult } from '../../../src/report/report-data.ts';
import { type InstalledNode, latestNode } from '../../support/nodes.ts';
import { runProgram } from '../../support/program.ts';
import { measureInTurn } from '../../support/rounds.ts';
import { runTypeScript } from '../../support/typescript.ts';
import type { BenchContext } from '../context.ts';
import { type Peer, PEERS } from './peers.ts';
import { type Task, TASKS } from './tasks.ts';

const PACKAGES = fileURLToPath(new URL('../../../node_modules/', import.meta.url));
const CHECKOUT = fileURLToPath(new URL('../../../', import.meta.url));
const BUILD = fileURLToPath(new URL('build.ts', import.meta.url));

/** Seconds. */
const BUILD_TIME_LIMIT = 300;

/** Measures from just before the task is loaded. */
const MAIN = `import { createHash } from 'node:crypto';

const start = performance.now();
const { run } = await import('./task.js');
const result = await run();
const total = performance.now() - start;
const digest = createHash('sha256').update(JSON.stringify(result)).digest('hex');
console.log(JSON.stringify({ total, digest }));
`;

const sampleSchema = v.object({ total: v.number(), digest: v.string() });
const factsSchema = v.object({ outputSize: v.number() });

/** Number of tasks with `--quick`. */
const QUICK_TASKS = 1;

export async function measurePeers(context: BenchContext): Promise<PeerResult[]> {
  const node = latestNode(context.nodes);
  if (!node) return [];
  const results: PeerResult[] = [];
  for (const task of context.quick ? TASKS.slice(0, QUICK_TASKS) : TASKS) {
    results.push(...(await measureTask(task, node, context)));
  }
  return results;
}

async function measureTask(task: Task, node: InstalledNode, context: BenchContext): Promise<PeerResult[]> {
  const { rounds, timeLimit, progress } = context;
  const built: Built[] = [];
  for (const peer of PEERS) {
    progress.update(`Building ${task.name} with ${peer.id} …`);
    built.push(await buildTask(task, peer, node, context.folder));
  }
  let expected: string | undefined;
  const candidates = built.map((program) => async () => {
    if (program.missing !== undefined) throw new Error(program.missing);
    const { output } = await runProgram([node.path, program.file], sampleSchema, { timeLimit });
    expected ??= output.digest;
    if (output.digest !== expected) throw new Error('the result differs from the others');
    return output.total;
  });
  const outcomes = await measureInTurn(candidates, rounds, progress, `Peers, ${task.name}`);
  return PEERS.map((peer, index): PeerResult => {
    const [program, outcome] = [built[index], outcomes[index]];
    const common = { peer: program?.name ?? peer.id, module: task.name, node: node.version };
    if (!program || !outcome) throw new Error(`${peer.id} was not measured`);
    if (program.missing !== undefined) return { ...common, outcome: { missing: program.missing } };
    if (outcome.missing !== undefined) return { ...common, outcome: { missing: outcome.missing } };
    return { ...common, outcome: { totals: outcome.samples, outputSize: program.outputSize } };
  });
}

type Built = { name: string } & (
  | { missing: string }
  | { missing?: undefined; file: string; outputSize: number }
);

async function buildTask(task: Task, peer: Peer, node: InstalledNode, parent: string): Promise<Built> {
  const name = await describePeer(peer);
  const folder = join(parent, 'peers', `${task.name}-${peer.id}`);
  const outDir = join(folder, 'out');
  await mkdir(folder, { recursive: true });
  const path = relative(folder, join(PACKAGES, task.file));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'main.js'), MAIN);
  await writeFile(join(folder, 'task.js'), task.source(peer.forms[task.name] ?? 'exports', path));
  try {
    const job = JSON.stringify({ folder, outDir, target: node.path });
    const options = { timeLimit: BUILD_TIME_LIMIT };
    const { output } = await runTypeScript([BUILD, peer.id, job], factsSchema, options);
    return { name, file: join(outDir, 'main.js'), outputSize: output.outputSize };
  } catch (error) {
    return { name, missing: `the build ${messageOf(error)}` };
  }
}

/** Returns, for example, `vite-plugin-wasm 3.5.0, vite 8.3.8`. */
async function describePeer({ packages }: Peer): Promise<string> {
  const names = packages.map(async (name) => {
    const folder = name === 'unplugin-wasm-precompile' ? CHECKOUT : join(PACKAGES, name);
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    return `${name} ${version}`;
  });
  return (await Promise.all(names)).join(', ');
}
