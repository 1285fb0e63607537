/**
 * The cache folder of on-device compilation, for the programs that use the native code in it. The runtime executes
 * what it reads there. So it trusts a folder or file only if it belongs to this user or to root, and if no other user
 * may write to it. It checks a file through the descriptor that it reads from, so that the file cannot be replaced in
 * between.
 */
import { builtin } from '../builtin.ts';
import { getCrc32 } from '../crc32.ts';
import { isTrustedFolder, withTrustedFile } from '../trust.ts';

const { existsSync, futimesSync, mkdirSync, readSync, rmSync } = builtin('node:fs');
const { homedir } = builtin('node:os');
const { dirname, isAbsolute, join } = builtin('node:path');

/**
 * Bytes. The header of a cached file, the same as in v8/recompile-host.js, is `wph1`, then the CRC-32 of the file's
 * name and the native code. The checksum covers the name, so that a renamed file is invalid.
 */
const HEADER_SIZE = 8;
const MAGIC = 0x31687077;

/** @throws Error if there is no home folder */
export function defaultFolder(): string {
  const { XDG_CACHE_HOME: cacheHome = '' } = process.env;
  if (isAbsolute(cacheHome) && process.platform !== 'darwin') return join(cacheHome, 'wasm-precompile');
  const home = homedir();
  if (!isAbsolute(home)) throw new Error('there is no home folder');
  return join(home, process.platform === 'darwin' ? 'Library/Caches' : '.cache', 'wasm-precompile');
}

/** @throws Error if the folder cannot be created, or if another user may write to it */
export function makeFolder(folder: string): void {
  if (isTrustedFolder(folder)) return;
  makeWithParents(folder);
  isTrustedFolder(folder);
}

/** Not `mkdir` with `recursive`, which never returns if the parent exists but nothing can be created in it (/proc). */
function makeWithParents(folder: string): void {
  const parent = dirname(folder);
  if (!existsSync(parent)) makeWithParents(parent);
  try {
    mkdirSync(folder, 0o700);
  } catch (error) {
    // Another process has created it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * Reads the native code in a cached file. Removes a file that is damaged or writable by other users, if that is
 * possible.
 */
export function readRecompiled(folder: string, name: string): ArrayBuffer | undefined {
  const file = join(folder, name);
  try {
    const found = withTrustedFile(file, (fd, size) => {
      const code = readCode(fd, size, name);
      if (code) touch(fd);
      return code;
    });
    if (found) return found;
  } catch {
    // For example, the file is a symbolic link.
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

/** Marks a file as used: the least recently used files are removed first. */
function touch(fd: number): void {
  const now = new Date();
  try {
    futimesSync(fd, now, now);
  } catch {
    // The file belongs to root.
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // The file stays, unused.
  }
}
