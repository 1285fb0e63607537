/**
 * Writes a file whole or not at all. The package write-file-atomic (7.0.1) does not look at how much `fs.write` wrote:
 * on a disk that runs full it puts a cut-off file in place and reports success.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes bytes to a file beside the target, then renames it. Makes the folder where there is none.
 *
 * @throws what the file system says; what was there before is there still
 */
export async function writeAtomic(file: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, bytes, { flag: 'wx', flush: true });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
