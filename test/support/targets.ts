/** Targets that record commands, crash, or have another ABI. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FIND_COMMAND } from '../v8/support.ts';
import type { Project } from './project.ts';

/** A node that counts its compilations. */
export interface CountingNode {
  /** Path of the executable, for the option `targets`. */
  node: string;
  /** Returns how many modules it has compiled. */
  compilations(): Promise<number>;
}

/** Creates a target that runs the current node and records the commands. */
export async function createCountingNode(project: Project): Promise<CountingNode> {
  const log = project.path('commands.log');
  await project.write({
    'commands.log': '',
    'counting-node': `#!/bin/sh\n${FIND_COMMAND}\necho "$command" >> '${log}'\nexec '${process.execPath}' "$@"\n`,
  });
  const node = project.path('counting-node');
  await chmod(node, 0o755);
  return {
    node,
    async compilations() {
      return (await readFile(log, 'utf8')).split('\n').filter((command) => command === 'compile').length;
    },
  };
}

/** Creates a target from a node, with an ABI without a prebuilt binary of the native addon. */
export function createForeignNode(folder: string, node: string): Promise<string> {
  return createPreloadingNode(
    folder,
    node,
    'foreign',
    "Object.defineProperty(process.versions, 'modules', { value: '9999' });",
  );
}

/** Creates a target from a node that crashes before it runs a script. */
export function createCrashingNode(folder: string, node: string): Promise<string> {
  return createPreloadingNode(folder, node, 'crashing', 'process.abort();');
}

async function createPreloadingNode(
  folder: string,
  node: string,
  name: string,
  code: string,
): Promise<string> {
  const preload = join(folder, `${name}.cjs`);
  const file = join(folder, `${name}-node`);
  await writeFile(preload, `${code}\n`);
  await writeFile(file, `#!/bin/sh\nexec '${node}' --require '${preload}' "$@"\n`);
  await chmod(file, 0o755);
  return file;
}
