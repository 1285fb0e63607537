/** Size and files of a folder. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Returns the size of all files in a folder, in bytes. */
export async function folderSize(folder: string): Promise<number> {
  const sizes = (await listFiles(folder)).map(async (file) => (await stat(file)).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Returns the absolute paths of all files in a folder and its subfolders. */
export async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}
