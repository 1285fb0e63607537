/**
 * `npm run prebuild`: builds the native addon for each supported Node version, with the headers of that version.
 * Skips the builds if the binaries are up to date. Without a C++ compiler it prints a warning, and the build continues
 * without binaries.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildAddon } from '../../src/addon/build.ts';
import { NATIVE_SOURCES_FOLDER, PREBUILDS_FOLDER } from '../../src/addon/files.ts';
import { messageOf } from '../../src/common/error.ts';
import { ensureNode, NODE_VERSIONS } from './nodes.ts';

/** A file beside the binaries with the hash of the sources that they were built from. */
const STAMP = join(PREBUILDS_FOLDER, 'sources.sha256');

function hashSources(): string {
  const hash = createHash('sha256').update(NODE_VERSIONS.join());
  for (const file of readdirSync(NATIVE_SOURCES_FOLDER).toSorted()) {
    hash.update(file).update(readFileSync(join(NATIVE_SOURCES_FOLDER, file)));
  }
  return hash.digest('hex');
}

const sources = hashSources();
if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === sources) {
  console.log('The native addon is up to date.');
} else {
  await rm(PREBUILDS_FOLDER, { recursive: true, force: true });
  try {
    for (const version of NODE_VERSIONS) {
      console.log(`Building the native addon for Node ${version} …`);
      await buildAddon(await ensureNode(version));
    }
    await mkdir(PREBUILDS_FOLDER, { recursive: true });
    await writeFile(STAMP, sources);
  } catch (error) {
    console.warn(messageOf(error));
  }
}
