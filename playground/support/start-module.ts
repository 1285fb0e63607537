/** Starts a module in a separate process, and determines how it was loaded. */
import * as v from 'valibot';
import { parseLoads } from './loads.ts';
import { type Command, type ProgramOptions, runProgram } from './program.ts';

/** The output of `app/src/sample.ts`. */
const sampleSchema = v.object({
  times: v.object({
    load: v.number(),
    instantiate: v.number(),
    call: v.number(),
    total: v.number(),
    blocked: v.number(),
  }),
  digest: v.string(),
  peakMemory: v.number(),
});

export type StartupSample = v.InferOutput<typeof sampleSchema> & {
  /** `precompiled, mapped` or `compiled`; undefined if the plugin loaded no module, or without `debug`. */
  loaded: string | undefined;
};

/**
 * @param debug whether to read the plugin's debug output, which itself takes time
 * @throws Error if the process fails
 */
export async function startModule(
  command: Command,
  debug: boolean,
  options: ProgramOptions,
): Promise<StartupSample> {
  const env = { ...options.env, ...(debug ? { NODE_DEBUG: 'wasm-precompile' } : {}) };
  const { output, stderr } = await runProgram(command, sampleSchema, { ...options, env });
  return { ...output, loaded: findLoads(stderr) };
}

/** Without debug output, only the warning shows that native code was not used. */
function findLoads(stderr: string): string | undefined {
  if (stderr.includes('WASM_PRECOMPILE_FALLBACK')) return 'compiled';
  const loads = parseLoads(stderr).map(({ precompiled, access }) =>
    precompiled ? `precompiled, ${access}` : 'compiled',
  );
  return loads.length === 0 ? undefined : [...new Set(loads)].join(' and ');
}
