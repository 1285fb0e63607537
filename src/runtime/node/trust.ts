/**
 * Which files may be executed that the runtime searches for: those that belong to this user or to root, and that no
 * other user may write to. Files of a build's own output need no check: they are trusted as its JavaScript is.
 */
import type { Stats } from 'node:fs';
import { builtin } from './builtin.ts';

const { closeSync, constants, fstatSync, lstatSync, openSync } = builtin('node:fs');

/** Mode bits: writable by the group or by all. */
const WRITABLE_BY_OTHERS = 0o022;

/** Opening fails for a symbolic link, and does not block on a pipe. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Root is trusted because it may write to everything. */
function isTrusted({ uid, mode }: Stats): boolean {
  return (uid === process.geteuid?.() || uid === 0) && (mode & WRITABLE_BY_OTHERS) === 0;
}

/**
 * Returns whether the folder exists.
 *
 * @throws Error if it is not a folder, or if another user may write to it
 */
export function isTrustedFolder(folder: string): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (stats && !(stats.isDirectory() && isTrusted(stats)))
    throw new Error(`${folder} must be writable by the current user only`);
  return stats !== undefined;
}

/**
 * Opens a file and uses it. The check is of the descriptor, so that the file that is read is the one that was checked.
 *
 * @throws Error if it is no file, or if another user may write to it
 */
export function withTrustedFile<Result>(file: string, use: (fd: number, size: number) => Result): Result {
  const fd = openSync(file, OPEN_FLAGS);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || !isTrusted(stats)) {
      throw new Error(`${file} must be a file that only the current user may write to`);
    }
    return use(fd, stats.size);
  } finally {
    closeSync(fd);
  }
}
