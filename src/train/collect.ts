/** Reads what the processes of a run have written: src/recorder/record-folder.ts describes the files. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findExecuted, type ExecutedFunction } from '../v8/executed.ts';
import { messageOf } from '../common/error.ts';
import type { ModuleOrigin, ModuleResult, RecordedProcess } from '../recorder/record-folder.ts';
import { hashModule } from '../wasm/binary/hash.ts';
import { readModule, type WasmModule } from '../wasm/binary/module.ts';
import { type RunCode, type TrainedModule, mergeModules } from './trained-modules.ts';
import { FLAG_HASH_OFFSET } from '../runtime/shared/v8-header.ts';
import { nameModule } from './module-name.ts';

export interface Collection {
  /** The modules whose executed functions are known, ordered by name. */
  modules: TrainedModule[];
  /** Whether the program loaded any module, recorded or not. */
  loaded: boolean;
  /** Sentences about what could not be recorded. */
  problems: string[];
}

/** A module in one process. */
interface RecordedModule {
  hash: string;
  process: RecordedProcess;
  loaded: ModuleOrigin;
}

/** @param folder absolute path */
export async function collect(folder: string): Promise<Collection> {
  const files = new Set(await readdir(folder));
  const problems: string[] = [];
  let modules: TrainedModule[] = [];
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
          ? 'the process wrote no result for it: check the free space in the folder for temporary files'
          : 'the process ended before it could record (SIGKILL or another signal, process.abort() or a crash), or still runs',
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
      failed(`the layout of native code of V8 ${record.process.v8} is unknown`);
      continue;
    }
    const trained = {
      name,
      nameRank: rank,
      sha256: hashModule(wire, module),
      wire,
      executed: executed.toSorted((a, b) => a.index - b.index),
      runs: result.kind === 'code' && code ? runOf(record, result, code, executed) : [],
    };
    // Merged in each iteration: there may be many processes, and each has its own copy of the bytes.
    modules = mergeModules([...modules, trained]);
  }

  return { modules, loaded, problems: [...new Set(problems)].toSorted() };
}

async function readRecords(folder: string, files: ReadonlySet<string>): Promise<RecordedModule[]> {
  const processes = new Map<string, RecordedProcess>();
  for (const { pid, ...rest } of await readProcesses(folder, files))
    processes.set(String(pid), { pid, ...rest });
  const records: RecordedModule[] = [];
  for (const file of [...files].toSorted()) {
    const [, pid = '', hash = ''] = /^(\d+)\.([0-9a-f]{64})\.loaded$/.exec(file) ?? [];
    const recorded = processes.get(pid);
    if (!recorded) continue;
    records.push({ hash, process: recorded, loaded: await readJson<ModuleOrigin>(join(folder, file)) });
  }
  return records;
}

/** Returns the processes of the run that the recorder has registered so far. */
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

/** Empty if the flags that produced the code are unknown. */
function runOf(
  { hash, process: { v8 } }: RecordedModule,
  { flagHash }: ModuleResult & { kind: 'code' },
  bytes: Buffer,
  executed: readonly ExecutedFunction[],
): RunCode[] {
  if (flagHash === undefined) return [];
  bytes.writeUInt32LE(flagHash, FLAG_HASH_OFFSET);
  const optimised = new Set(executed.flatMap((entry) => (entry.optimised ? [entry.index] : [])));
  return [{ v8, bytes, wireSha256: hash, optimised }];
}

function commandOf({ command }: RecordedProcess): string {
  const text = command.join(' ');
  return text.length > 100 ? `${text.slice(0, 100)}…` : text || 'node';
}

/** Needs no validation: the recorder writes each file completely or not at all. */
export async function readJson<Value>(file: string): Promise<Value> {
  return JSON.parse(await readFile(file, 'utf8')) as Value;
}
