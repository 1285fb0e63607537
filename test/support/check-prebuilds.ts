/**
 * Part of `npm pack` and `npm publish`: refuses to pack without what the README says is in the package, a binary of the
 * native loader for each Node version on Linux x64. `npm run build` goes on without them where there is no compiler.
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
    `The package would lack the native loader: ${missing.join(', ')}. ` +
      'Pack it on Linux x64 with g++, make and python3 installed; the build above says what went wrong.',
  );
  process.exitCode = 1;
}
