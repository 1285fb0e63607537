/** Startup profiles for pages: what a start of the same workload executes in Node. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
import { build, type Plugin } from 'vite';

const COMMAND = fileURLToPath(new URL('../../../dist/cli/index.js', import.meta.url));

/**
 * @param folder where to build the program, and to write the profiles
 * @param workload resolves `web:workload`
 * @returns the folder with the profiles
 */
export async function recordProfiles(folder: string, workload: Plugin): Promise<string> {
  const entry = fileURLToPath(new URL('train.ts', import.meta.url));
  await build({
    configFile: false,
    logLevel: 'warn',
    // Nothing is precompiled: that takes its time, and makes no difference to what is recorded.
    plugins: [workload, wasmPrecompile({ threshold: Number.POSITIVE_INFINITY })],
    // The program is no part of this package, and finds none of its dependencies.
    ssr: { noExternal: true },
    build: {
      ssr: entry,
      emptyOutDir: true,
      outDir: join(folder, 'program'),
      target: 'node20.19',
      rolldownOptions: { checks: { pluginTimings: false } },
    },
  });
  const profiles = join(folder, 'profiles');
  const program = join(folder, 'program', 'train.js');
  await execa(process.execPath, [COMMAND, 'train', '--output', profiles, '--', process.execPath, program]);
  return profiles;
}
