/** Runs a program once and finds out how its modules start. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../common/format-bytes.ts';
import type { ObservedStartup, ObservedStartups } from '../recorder/folder.ts';
import { readJson, readProcesses } from '../train/collect.ts';
import { nameOfFile, stem } from '../train/name.ts';
import { describeExit } from '../train/outcome.ts';
import { type Exit, preloadScript, type RunOptions, runWithPreload } from '../train/run.ts';
import type { StartupReport } from './data.ts';

export interface MeasuredStartups {
  /** In the order in which they began: of each module the first one in the run. */
  starts: StartupReport[];
  /** Sentences about what could not be seen. */
  notes: string[];
  exit: Exit;
  /** How the command did not end well. */
  failure: string | undefined;
}

/** A start in one thread of the run. */
interface Seen extends ObservedStartup {
  node: string;
  /** Milliseconds since 1970. */
  began: number;
}

/**
 * @param command an executable and its arguments
 * @throws WasmPrecompileError `START_FAILED` where the command cannot be started
 */
export async function measureStartups(
  command: readonly string[],
  options: RunOptions = {},
): Promise<MeasuredStartups> {
  const { exit, collected } = await runWithPreload(command, readStarts, {
    ...options,
    preload: preloadScript('startup-preload.cjs'),
    failure: { code: 'START_FAILED', example: 'wasm-precompile report dist -- node dist/server.js' },
  });
  const starts: StartupReport[] = [];
  const notes: string[] = [];
  const shown = new Set<string>();
  let later = 0;
  for (const seen of collected.toSorted((a, b) => a.began - b.began)) {
    const start = await describeStart(seen);
    const key = JSON.stringify([seen.file ?? start.module, seen.wireSize, start.node, start.mode]);
    if (shown.has(key)) {
      later += 1;
      continue;
    }
    shown.add(key);
    starts.push(start);
    notes.push(...describeMissing(start.module, seen));
  }
  if (later > 0) {
    notes.push(`Of each module the first start is shown: ${later} more of the same modules were seen.`);
  }
  if (starts.length === 0) {
    notes.push(
      `${command.join(' ')} loaded no WebAssembly module that could be seen. Seen is what runs in Node with the environment ` +
        'of the command (NODE_OPTIONS), outside of vm contexts.',
    );
  }
  return { starts, notes, exit, failure: describeExit(command, exit) };
}

async function readStarts(folder: string): Promise<Seen[]> {
  const processes = new Map((await readProcesses(folder)).map(({ pid, node }) => [String(pid), node]));
  const files = (await readdir(folder)).filter((file) => file.endsWith('.starts'));
  const threads = await Promise.all(
    files.map(async (file) => {
      const { timeOrigin, starts } = await readJson<ObservedStartups>(join(folder, file));
      const node = processes.get(file.split('.', 1)[0] ?? '') ?? 'unknown';
      return starts.map((start) => ({ ...start, node, began: timeOrigin + (start.steps[0]?.start ?? 0) }));
    }),
  );
  return threads.flat();
}

async function describeStart(seen: Seen): Promise<StartupReport> {
  const { node, mode, steps } = seen;
  const origin = Math.min(...steps.map(({ start }) => start));
  return {
    module: await nameStart(seen),
    node,
    mode,
    steps: steps.map((step) => ({ ...step, start: step.start - origin, end: step.end - origin })),
  };
}

async function nameStart({ file, name, url, wireSize = 0 }: Seen): Promise<string> {
  if (file !== undefined) return nameOfFile(file);
  if (name !== undefined && name !== '') return stem(name);
  return url === undefined ? `module of ${formatBytes(wireSize)}` : stem(new URL(url, 'file:').pathname);
}

function describeMissing(module: string, { steps, whole, watched, unwatchable }: ObservedStartup): string[] {
  if (whole) {
    return [`${module}: the program compiles and instantiates it by one call, so the step \`load\` is both.`];
  }
  if (!watched) return [`${module}: no instance of it was made where it was loaded.`];
  if (unwatchable !== undefined) return [`${module}: its first call cannot be seen: ${unwatchable}.`];
  return steps.some(({ name }) => name === 'first call')
    ? []
    : [`${module}: no call of its exported functions was seen.`];
}
