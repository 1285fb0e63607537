/**
 * Atomic writes: a file gets all of its contents or is not changed. The package write-file-atomic (7.0.1) ignores how
 * many bytes `fs.write` wrote: on a full disk, it replaces the file with a truncated one and reports success.
 */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes bytes to a temporary file beside the target, then renames it. Creates the folder if it does not exist. A file
 * that is replaced keeps its mode: it may be an executable script.
 *
 * @param ownMode permissions, whatever the umask; default: those of the file that is replaced
 * @throws the error of the file system; the target is then unchanged
 */
export async function writeAtomic(file: string, bytes: Uint8Array, ownMode?: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const mode =
    ownMode ??
    (await stat(file).then(
      (replaced) => replaced.mode,
      () => undefined,
    ));
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, bytes, { flag: 'wx', flush: true });
    if (mode !== undefined) await chmod(temporary, mode);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
