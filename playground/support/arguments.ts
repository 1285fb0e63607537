/** Arguments and exit codes that the playground's programs share: 0 success, 1 failure, 2 wrong usage. */
import { CommanderError, InvalidArgumentError } from 'commander';
import { messageOf } from '../../src/common/error.ts';

export function parseList(value: string): string[] {
  return value.split(',').map((item) => item.trim());
}

export function parseCount(value: string): number {
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1)
    throw new InvalidArgumentError('Expected a whole number, 1 or more.');
  return count;
}

/** An invalid argument. */
export class UsageError extends Error {}

/** Prints the error of a program and sets its exit code. */
export function fail(program: string, error: unknown): void {
  // Commander has printed its error or the help.
  if (!(error instanceof CommanderError)) console.error(`${program}: ${messageOf(error)}`);
  const usage = error instanceof CommanderError || error instanceof UsageError;
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : usage ? 2 : 1;
}
