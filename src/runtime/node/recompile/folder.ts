/**
 * The folder of healed native code, as the programs that use it see it. What is in there is executed: a folder or file
 * counts only where it belongs to this user or to root, and nobody else may write it. The file is checked through the
 * descriptor that it is read from, so that it cannot be another one by then.
 */
import { builtin } from '../builtin.ts';
import type { Stats } from 'node:fs';
import { getCrc32 } from '../crc32.ts';

const {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
} = builtin('node:fs');
const { homedir } = builtin('node:os');
const { dirname, isAbsolute, join } = builtin('node:path');

/**
 * Of a healed file, the same as in v8/recompile-host.js: `wph1`, then the CRC-32 of the file's name and the native code.
 * With the name, so that a file under another name is none.
 */
const HEADER_SIZE = 8;
const MAGIC = 0x31687077;

/** More than reading only: a symbolic link is an error, and a pipe nothing to wait for. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Writable by the group or by all. */
const OTHERS_MAY_WRITE = 0o022;

/** @throws Error where there is no home */
export function defaultFolder(): string {
  const { XDG_CACHE_HOME: caches = '' } = process.env;
  if (isAbsolute(caches) && process.platform !== 'darwin') return join(caches, 'wasm-precompile');
  const home = homedir();
  if (!isAbsolute(home)) throw new Error('there is no home folder');
  return join(home, process.platform === 'darwin' ? 'Library/Caches' : '.cache', 'wasm-precompile');
}

/**
 * Whether there is such a folder.
 *
 * @throws Error where another user may write into it
 */
export function isTrustedFolder(folder: string): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (stats && !(stats.isDirectory() && isTrusted(stats)))
    throw new Error(`${folder} is no folder that only this user may write`);
  return stats !== undefined;
}

export function makeFolder(folder: string): void {
  if (isTrustedFolder(folder)) return;
  makeWithParents(folder);
  isTrustedFolder(folder);
}

/** Not Node's own way (`recursive`), which never ends where a folder is there and nothing can be made in it (/proc). */
function makeWithParents(folder: string): void {
  const parent = dirname(folder);
  if (!existsSync(parent)) makeWithParents(parent);
  try {
    mkdirSync(folder, 0o700);
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** The native code in a healed file. One that is damaged, or that others may write, is removed where that is possible. */
export function readRecompiled(folder: string, name: string): ArrayBuffer | undefined {
  const file = join(folder, name);
  try {
    const fd = openSync(file, FLAGS);
    try {
      const stats = fstatSync(fd);
      const code = stats.isFile() && isTrusted(stats) && readCode(fd, stats.size, name);
      if (code) {
        touch(fd);
        return code;
      }
    } finally {
      closeSync(fd);
    }
  } catch {
    // A symbolic link, for instance.
  }
  remove(file);
  return undefined;
}

function readCode(fd: number, size: number, name: string): ArrayBuffer | undefined {
  const crc32 = getCrc32();
  const header = new Uint32Array(HEADER_SIZE / 4);
  const code = new Uint8Array(Math.max(0, size - HEADER_SIZE));
  const read = readSync(fd, header, 0, HEADER_SIZE, 0) + readSync(fd, code, 0, code.length, HEADER_SIZE);
  const intact = read === size && header[0] === MAGIC && header[1] === crc32?.(code, crc32(name));
  return intact && code.length > 0 ? code.buffer : undefined;
}

/** Root may write everything anyway. */
function isTrusted({ uid, mode }: Stats): boolean {
  return (uid === process.geteuid?.() || uid === 0) && (mode & OTHERS_MAY_WRITE) === 0;
}

/** What was not used for longest goes first. */
function touch(fd: number): void {
  const now = new Date();
  try {
    futimesSync(fd, now, now);
  } catch {
    // It is root's.
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Then it stays as it is, and unused.
  }
}
