/** Reading files in watch mode, in which another tool may be writing them. */
import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { WasmPrecompileError } from '../../common/error.ts';

/** Milliseconds after which a file that does not change counts as complete. */
const SETTLED_AFTER = 200;

/** Milliseconds between two attempts. */
const RETRY_DELAY = 50;

/**
 * Reads a file again while another tool is writing it: tools that write a file in place leave it empty or cut off for
 * a moment, and others delete it first.
 *
 * @param read reads and parses the file
 * @returns the result of the last attempt
 * @throws the error of the last attempt, when the file has not changed for 200 ms
 */
export async function readComplete<Source extends { bytes: Uint8Array }>(
  file: string,
  read: () => Promise<Source>,
): Promise<Source> {
  let size = await sizeOf(file);
  for (let unchanged = 0; ; unchanged += RETRY_DELAY) {
    // Each attempt follows the one before.
    // oxlint-disable-next-line no-await-in-loop
    const [attempt] = await Promise.allSettled([read()]);
    // oxlint-disable-next-line no-await-in-loop
    const newSize = await sizeOf(file);
    if (newSize !== size) unchanged = 0;
    size = newSize;
    const isSettled = unchanged >= SETTLED_AFTER;
    if (attempt.status === 'fulfilled') {
      if (isSettled || attempt.value.bytes.length === size) return attempt.value;
    } else if (isSettled || !mayBeIncomplete(attempt.reason)) {
      throw attempt.reason;
    }
    // oxlint-disable-next-line no-await-in-loop
    await delay(RETRY_DELAY);
  }
}

/** Returns a file's size in bytes; undefined if there is no such file. */
async function sizeOf(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ size }) => size,
    () => undefined,
  );
}

function mayBeIncomplete(error: unknown): boolean {
  return (
    error instanceof WasmPrecompileError &&
    (error.code === 'INVALID_WASM' || error.code === 'UNREADABLE_FILE')
  );
}
