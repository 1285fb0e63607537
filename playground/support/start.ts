/** Starts a module in a process of its own, and looks how it was loaded. */
import * as v from 'valibot';
import { parseLoads } from './loads.ts';
import { type Command, type ProgramOptions, runProgram } from './program.ts';

/** What `app/src/sample.ts` prints. */
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

export type StartSample = v.InferOutput<typeof sampleSchema> & {
  /** `precompiled, mapped`, `compiled`; undefined where the plugin has loaded nothing, or was not asked. */
  loaded: string | undefined;
};

/**
 * @param debug whether to ask the plugin how it loads the module, which takes time itself
 * @throws Error where the process fails
 */
export async function startModule(
  command: Command,
  debug: boolean,
  options: ProgramOptions,
): Promise<StartSample> {
  const env = { ...options.env, ...(debug ? { NODE_DEBUG: 'wasm-precompile' } : {}) };
  const { output, stderr } = await runProgram(command, sampleSchema, { ...options, env });
  return { ...output, loaded: findLoads(stderr) };
}

/** The warning says without being asked that native code was there and was not used. */
function findLoads(stderr: string): string | undefined {
  if (stderr.includes('WASM_PRECOMPILE_FALLBACK')) return 'compiled';
  const loads = parseLoads(stderr).map(({ precompiled, access }) =>
    precompiled ? `precompiled, ${access}` : 'compiled',
  );
  return loads.length === 0 ? undefined : [...new Set(loads)].join(' and ');
}
