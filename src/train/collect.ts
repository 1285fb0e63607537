/** Reads what the processes of a run have written: src/recorder/folder.ts says what. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findExecuted, type ExecutedFunction } from '../engines/v8/executed.ts';
import { messageOf } from '../error.ts';
import type { LoadedModule, ModuleResult, RecordedProcess } from '../recorder/folder.ts';
import { hashModule } from '../wasm/hash.ts';
import { readModule, type WasmModule } from '../wasm/module.ts';
import { nameModule } from './name.ts';

/** A module that the program loaded. */
export interface TrainedModule {
  /** Of its file, of its name section or of its URL; else `module-` and the start of its hash. */
  name: string;
  /** Wire bytes, as the program compiled them. */
  wire: Uint8Array;
  /** In the order of indices; empty where nothing of it ran. */
  executed: ExecutedFunction[];
  /** What V8 held of it at the end, for each V8 that ran it: of several processes, from that which optimised most. */
  runs: RunCode[];
}

/** Native code as a run left it: lazy functions, baseline code, and code optimised for what the run saw. */
export interface RunCode {
  /** `process.versions.v8`. */
  v8: string;
  bytes: Uint8Array;
  /** SHA-256 of the wire bytes that it belongs to, hexadecimal. */
  wireSha256: string;
  /** The functions that the run itself found worth optimising. */
  optimised: ReadonlySet<number>;
}

export interface Collection {
  /** Those of which it is known what they executed, in the order of names. */
  modules: TrainedModule[];
  /** Whether the program has loaded any module, recorded or not. */
  loaded: boolean;
  /** Sentences about what could not be recorded. */
  problems: string[];
}

/** A module in one process. */
interface Record {
  hash: string;
  process: RecordedProcess;
  loaded: LoadedModule;
}

/** A module in all processes. */
interface Gathered {
  wire: Uint8Array;
  names: { name: string; rank: number }[];
  executed: Map<number, ExecutedFunction>;
  runs: Map<string, RunCode>;
}

/** Of the flag hash in the header of native code, in bytes. */
const FLAG_HASH_OFFSET = 12;

/** @param folder absolute path */
export async function collect(folder: string): Promise<Collection> {
  const files = new Set(await readdir(folder));
  const problems: string[] = [];
  const byHash = new Map<string, Gathered>();
  let loaded = false;

  for (const record of await readRecords(folder, files)) {
    const { pid } = record.process;
    const prefix = `${pid}.${record.hash}`;
    const result = files.has(`${prefix}.result`)
      ? await readJson<ModuleResult>(join(folder, `${prefix}.result`))
      : undefined;
    if (result?.kind === 'invalid') continue;
    loaded = true;
    const wire = await readFile(join(folder, `${record.hash}.wasm`));
    const { name, rank } = await nameModule(wire, record.hash, record.loaded);
    const failed = (reason: string) =>
      problems.push(`${name}, in process ${pid} (${commandOf(record.process)}): ${reason}.`);
    if (!result) {
      failed(
        files.has(`${pid}.end`)
          ? 'nothing was written of it: is there space in the folder for temporary files?'
          : 'the process ended without a chance to record (by SIGKILL or another signal, by process.abort() or by a crash), or still runs',
      );
      continue;
    }
    if (result.kind === 'failed') {
      failed(result.reason);
      continue;
    }
    let module: WasmModule;
    try {
      module = readModule(wire, name);
    } catch (error) {
      failed(messageOf(error));
      continue;
    }
    const code = result.kind === 'code' ? await readFile(join(folder, `${prefix}.code`)) : undefined;
    const executed =
      result.kind === 'code' && code ? readExecuted(code, record.process.v8, result, module) : [];
    if (!executed) {
      failed(`the layout of what V8 ${record.process.v8} writes is not known`);
      continue;
    }
    const key = hashModule(wire, module);
    let gathered = byHash.get(key);
    if (!gathered) byHash.set(key, (gathered = { wire, names: [], executed: new Map(), runs: new Map() }));
    // The copy with names, where there are several.
    if (wire.length > gathered.wire.length) gathered.wire = wire;
    gathered.names.push({ name, rank });
    for (const entry of executed) {
      const other = gathered.executed.get(entry.index);
      gathered.executed.set(entry.index, {
        ...entry,
        optimised: entry.optimised || other?.optimised === true,
      });
    }
    if (result.kind === 'code' && code && result.flagHash !== undefined) {
      code.writeUInt32LE(result.flagHash, FLAG_HASH_OFFSET);
      keepRun(gathered.runs, record, code, executed);
    }
  }

  const modules = [...byHash.values()].map(({ wire, names, executed, runs }) => ({
    runs: [...runs.values()],
    name: best(names),
    wire,
    executed: [...executed.values()].toSorted((a, b) => a.index - b.index),
  }));
  return {
    modules: modules.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    loaded,
    problems: [...new Set(problems)].toSorted(),
  };
}

async function readRecords(folder: string, files: ReadonlySet<string>): Promise<Record[]> {
  const processes = new Map<string, RecordedProcess>();
  for (const { pid, ...rest } of await readProcesses(folder, files))
    processes.set(String(pid), { pid, ...rest });
  const records: Record[] = [];
  for (const file of [...files].toSorted()) {
    const [, pid = '', hash = ''] = /^(\d+)\.([0-9a-f]{64})\.loaded$/.exec(file) ?? [];
    const recorded = processes.get(pid);
    if (!recorded) continue;
    records.push({ hash, process: recorded, loaded: await readJson<LoadedModule>(join(folder, file)) });
  }
  return records;
}

/** The processes of the run that could be recorded so far. */
export async function readProcesses(
  folder: string,
  files?: ReadonlySet<string>,
): Promise<(RecordedProcess & { ended: boolean })[]> {
  const all = files ?? new Set(await readdir(folder));
  const found = [...all].filter((file) => file.endsWith('.process'));
  return Promise.all(
    found.map(async (file) => {
      const recorded = await readJson<RecordedProcess>(join(folder, file));
      return { ...recorded, ended: all.has(`${recorded.pid}.end`) };
    }),
  );
}

function readExecuted(
  code: Uint8Array,
  v8: string,
  { forced }: ModuleResult & { kind: 'code' },
  counts: WasmModule,
): ExecutedFunction[] | undefined {
  const requested = new Set(forced ? [forced.index] : []);
  const executed = findExecuted(code, v8, counts, requested);
  if (executed && forced?.executed && !executed.some(({ index }) => index === forced.index)) {
    executed.push({ index: forced.index, optimised: false });
  }
  return executed;
}

function keepRun(
  runs: Map<string, RunCode>,
  { hash, process: { v8 } }: Record,
  bytes: Uint8Array,
  executed: readonly ExecutedFunction[],
): void {
  const optimised = new Set(executed.flatMap((entry) => (entry.optimised ? [entry.index] : [])));
  const other = runs.get(v8);
  if (!other || other.optimised.size < optimised.size)
    runs.set(v8, { v8, bytes, wireSha256: hash, optimised });
}

/** The surest name; of several the first in the alphabet, so that it does not depend on which process was first. */
function best(names: readonly { name: string; rank: number }[]): string {
  const [first] = names.toSorted((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1));
  return first?.name ?? '';
}

function commandOf({ command }: RecordedProcess): string {
  const text = command.join(' ');
  return text.length > 100 ? `${text.slice(0, 100)}…` : text || 'node';
}

/** Written by our own recorder, whole or not at all. */
export async function readJson<Value>(file: string): Promise<Value> {
  return JSON.parse(await readFile(file, 'utf8')) as Value;
}
