/** Runs run-native.js, which executes a workload in a separate process. */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import * as v from 'valibot';
import { findAddon } from '../../src/addon/files.ts';

const PROGRAM = fileURLToPath(new URL('run-native.js', import.meta.url));

/** See `Outcome` in run-native.js. */
const outcomeSchema = v.object({
  load: v.number(),
  instantiate: v.number(),
  first: v.number(),
  total: v.number(),
  cpu: v.number(),
  steady: v.number(),
  digest: v.string(),
  same: v.boolean(),
  tieredUp: v.array(v.number()),
});

export type Outcome = v.InferOutput<typeof outcomeSchema>;

/** See `Job` in run-native.js. */
export interface Job {
  workload: string;
  /** File with the wire bytes. */
  wire: string;
  /** File with native code; without it, V8 compiles. */
  native?: string | undefined;
  calls: number;
  /** File to write the process's native code to, after the calls. */
  serialize?: string;
}

/** @throws Error if V8 does not accept the native code, or if the process crashes */
export async function runNative(node: string, job: Job): Promise<Outcome> {
  const addon = await addonOf(node);
  const { stdout } = await execa(node, [PROGRAM, JSON.stringify({ ...job, addon })]);
  return v.parse(outcomeSchema, JSON.parse(stdout));
}

const addons = new Map<string, Promise<string | undefined>>();

/** Returns the path of the native addon for a node, if there is one. */
export function addonOf(node: string): Promise<string | undefined> {
  let addon = addons.get(node);
  if (!addon) {
    addon = execa(node, ['-p', 'process.versions.modules']).then(({ stdout: abi }) =>
      findAddon({ platform: process.platform, arch: process.arch, abi }),
    );
    addons.set(node, addon);
  }
  return addon;
}
