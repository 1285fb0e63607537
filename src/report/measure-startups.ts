/** Runs a program once and measures the startup of its modules. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../common/format-bytes.ts';
import type { ObservedStartup, ObservedStartups } from '../recorder/record-folder.ts';
import { readJson, readProcesses } from '../train/collect.ts';
import { readFileModuleName, stripExtension } from '../train/module-name.ts';
import { describeExit } from '../train/outcome.ts';
import { type Exit, preloadScript, type RunOptions, runWithPreload } from '../train/run-with-preload.ts';
import type { StartupReport } from './report-data.ts';

export interface MeasuredStartups {
  /** The first startup of each module in the run, ordered by time. */
  startups: StartupReport[];
  /** Sentences about what could not be observed. */
  notes: string[];
  exit: Exit;
  /** Sentence about how the command failed. */
  failure: string | undefined;
}

/** A startup in one thread of the run. */
interface CollectedStartup extends ObservedStartup {
  node: string;
  /** When it began, in milliseconds since 1970. */
  began: number;
}

/**
 * @param command an executable and its arguments
 * @throws WasmPrecompileError `START_FAILED` if the command cannot be started
 */
export async function measureStartups(
  command: readonly string[],
  options: RunOptions = {},
): Promise<MeasuredStartups> {
  const { exit, collected } = await runWithPreload(command, readStartups, {
    ...options,
    preload: preloadScript('startup-preload.cjs'),
    failure: { code: 'START_FAILED', example: 'wasm-precompile report dist -- node dist/server.js' },
  });
  const startups: StartupReport[] = [];
  const notes: string[] = [];
  const shown = new Set<string>();
  let later = 0;
  for (const seen of collected.toSorted((a, b) => a.began - b.began)) {
    const startup = await describeStartup(seen);
    const key = JSON.stringify([seen.file ?? startup.module, seen.wireSize, startup.node, startup.mode]);
    if (shown.has(key)) {
      later += 1;
      continue;
    }
    shown.add(key);
    startups.push(startup);
    notes.push(...describeMissing(startup.module, seen));
  }
  if (later > 0) {
    notes.push(
      `The report shows the first startup of each module; it leaves out ${later} more of the same modules.`,
    );
  }
  if (startups.length === 0) {
    notes.push(
      `${command.join(' ')} loaded no WebAssembly module that could be observed. Modules are observed if they run in Node with ` +
        "the command's environment (NODE_OPTIONS), outside of vm contexts.",
    );
  }
  return { startups, notes, exit, failure: describeExit(command, exit) };
}

async function readStartups(folder: string): Promise<CollectedStartup[]> {
  const processes = new Map((await readProcesses(folder)).map(({ pid, node }) => [String(pid), node]));
  const files = (await readdir(folder)).filter((file) => file.endsWith('.startups'));
  const threads = await Promise.all(
    files.map(async (file) => {
      const { timeOrigin, startups } = await readJson<ObservedStartups>(join(folder, file));
      const node = processes.get(file.split('.', 1)[0] ?? '') ?? 'unknown';
      return startups.map((startup) => ({
        ...startup,
        node,
        began: timeOrigin + (startup.steps[0]?.start ?? 0),
      }));
    }),
  );
  return threads.flat();
}

async function describeStartup(seen: CollectedStartup): Promise<StartupReport> {
  const { node, mode, steps } = seen;
  const origin = Math.min(...steps.map(({ start }) => start));
  return {
    module: await nameModule(seen),
    node,
    mode,
    steps: steps.map((step) => ({ ...step, start: step.start - origin, end: step.end - origin })),
  };
}

async function nameModule({ file, name, url, wireSize = 0 }: CollectedStartup): Promise<string> {
  if (file !== undefined) return readFileModuleName(file);
  if (name !== undefined && name !== '') return stripExtension(name);
  return url === undefined
    ? `module of ${formatBytes(wireSize)}`
    : stripExtension(new URL(url, 'file:').pathname);
}

function describeMissing(
  module: string,
  { steps, combined, instanceSeen, firstCallHiddenBecause }: ObservedStartup,
): string[] {
  if (combined) {
    return [
      `${module}: the program compiles and instantiates it by one call, so the step \`load\` includes both.`,
    ];
  }
  if (!instanceSeen) return [`${module}: the thread that loaded it created no instance.`];
  if (firstCallHiddenBecause !== undefined)
    return [`${module}: its first call cannot be observed: ${firstCallHiddenBecause}.`];
  return steps.some(({ name }) => name === 'first call')
    ? []
    : [`${module}: none of its exported functions was called.`];
}
