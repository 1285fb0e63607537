import { statSync } from 'node:fs';

/** For what is watched: a startup profile may be a folder. */
export function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
