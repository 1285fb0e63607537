/** Reads and validates the result of `npm run bench -- --json`. */
import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { BENCH_MODES, type BenchResult } from './report-data.ts';

const numbers = <Names extends string>(...names: Names[]) =>
  v.object(v.entriesFromList(names, v.pipe(v.number(), v.finite())));

const missing = v.object({ missing: v.string() });

const samples = v.union([
  missing,
  v.object({
    loaded: v.string(),
    samples: v.array(numbers('load', 'instantiate', 'call', 'total', 'blocked', 'peakMemory')),
  }),
]);

const benchSchema: v.GenericSchema<unknown, BenchResult> = v.object({
  machine: v.string(),
  date: v.string(),
  command: v.string(),
  rounds: v.number(),
  modules: v.array(
    v.object({ name: v.string(), toolchain: v.string(), note: v.string(), wasmSize: v.number() }),
  ),
  cases: v.array(
    v.object({
      module: v.string(),
      node: v.string(),
      modes: v.object({
        baseline: samples,
        precompiled: samples,
        unsplit: samples,
        profile: samples,
        warm: samples,
      }),
    }),
  ),
  builds: v.array(
    v.object({
      module: v.string(),
      mode: v.picklist(['baseline', 'precompiled', 'profile']),
      coldSeconds: v.number(),
      ...numbers('cachedSeconds', 'outputSize', 'nativeSize').entries,
    }),
  ),
  growth: v.array(
    v.object({
      node: v.string(),
      mode: v.picklist(BENCH_MODES),
      ...numbers('wasmSize', 'fileSize', 'buildSeconds', 'load', 'total', 'peakMemory').entries,
    }),
  ),
  missing: v.array(v.string()),
  peers: v.array(
    v.object({
      peer: v.string(),
      module: v.string(),
      node: v.string(),
      outcome: v.union([missing, v.object({ totals: v.array(v.number()), outputSize: v.number() })]),
    }),
  ),
});

/** @throws WasmPrecompileError `UNREADABLE_FILE`; `INVALID_BENCH` with the path of the first invalid value */
export async function readBench(file: string): Promise<BenchResult> {
  let text;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new WasmPrecompileError('UNREADABLE_FILE', `${file}: cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const invalid = (reason: string, cause?: unknown) =>
    new WasmPrecompileError(
      'INVALID_BENCH',
      `${file} is not the result of a benchmark: ${reason}. Create one with \`npm run bench -- --json\` in a clone.`,
      { cause },
    );
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw invalid(messageOf(error), error);
  }
  const parsed = v.safeParse(benchSchema, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw invalid(`${v.getDotPath(issue) ?? 'the file'}: ${issue.message}`);
}
