/**
 * A step of `npm pack` and `npm publish`: fails if the package lacks a prebuilt binary of the native addon for a Node
 * version on Linux x64, which the README promises. `npm run build` continues without them if there is no compiler.
 */
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { execa } from 'execa';
import { addonFile } from '../../src/addon/files.ts';
import { ensureNode, NODE_VERSIONS } from './nodes.ts';

const missing: string[] = [];
for (const version of NODE_VERSIONS) {
  const { stdout: abi } = await execa(await ensureNode(version), ['-p', 'process.versions.modules']);
  const file = addonFile({ platform: 'linux', arch: 'x64', abi });
  if (!existsSync(file)) missing.push(`${relative(process.cwd(), file)} (Node ${version})`);
}
if (missing.length > 0) {
  console.error(
    `The package lacks prebuilt binaries of the native addon: ${missing.join(', ')}. ` +
      'Pack it on Linux x64 with g++, make and python3 installed. The output of the build above shows the cause.',
  );
  process.exitCode = 1;
}
