import { statSync } from 'node:fs';

/** Whether a path that watch mode watches is a folder: a startup profile may be one. */
export function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
