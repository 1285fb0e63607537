/** Builds the application in each of its modes. */
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { folderSize } from './support/folder-size.ts';

/**
 * - `baseline`: without the plugin
 * - `precompiled`: native code for all functions
 * - `unsplit`: native code for the functions that a training run executed; modules are not split
 * - `profile`: the same, and modules are split if that saves enough
 */
export const MODES = ['baseline', 'precompiled', 'unsplit', 'profile'] as const;

export type Mode = (typeof MODES)[number];

export interface BuildFacts {
  mode: Mode;
  seconds: number;
  /** Bytes of all files that the build wrote. */
  bytes: number;
}

const APP = fileURLToPath(new URL('app/', import.meta.url));

/** Returns the path of a file in a build's output. */
export function outputFile(mode: Mode, name: string): string {
  return join(APP, 'dist', mode, name);
}

/** @param targets node executables to precompile for besides the host */
export async function buildAll(targets: readonly string[]): Promise<BuildFacts[]> {
  process.env['PLAYGROUND_TARGETS'] = targets.join(delimiter);
  const facts: BuildFacts[] = [];
  for (const mode of MODES) {
    const note = mode === 'precompiled' ? ' (takes up to a minute the first time)' : '';
    console.error(`Building ${mode}${note} …`);
    const start = performance.now();
    await build({ root: APP, mode, logLevel: 'warn' });
    facts.push({
      mode,
      seconds: (performance.now() - start) / 1000,
      bytes: await folderSize(outputFile(mode, '')),
    });
  }
  return facts;
}
