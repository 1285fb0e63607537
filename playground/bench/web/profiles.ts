/** Records startup profiles for pages, from a startup of the same workload in Node. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';
import { build, type Plugin } from 'vite';

const COMMAND = fileURLToPath(new URL('../../../dist/cli/index.js', import.meta.url));

/**
 * @param folder folder for the program and the profiles
 * @param workload plugin that resolves `web:workload`
 * @returns the folder with the profiles
 */
export async function recordProfiles(folder: string, workload: Plugin): Promise<string> {
  const entry = fileURLToPath(new URL('train.ts', import.meta.url));
  await build({
    configFile: false,
    logLevel: 'warn',
    // No module is precompiled: that takes time, and does not change what is recorded.
    plugins: [workload, wasmPrecompile({ threshold: Number.POSITIVE_INFINITY })],
    // The program is outside of this package and does not find its dependencies.
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
