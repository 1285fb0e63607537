/** Arguments that the playground's programs share, and what their exit code says: 0 done, 1 failed, 2 wrong usage. */
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

/** An argument with which there is nothing to do. */
export class UsageError extends Error {}

/** Ends a program that failed, with its exit code. */
export function fail(program: string, error: unknown): void {
  // Commander has printed what is wrong with the arguments, or the help.
  if (!(error instanceof CommanderError)) console.error(`${program}: ${messageOf(error)}`);
  const usage = error instanceof CommanderError || error instanceof UsageError;
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : usage ? 2 : 1;
}
