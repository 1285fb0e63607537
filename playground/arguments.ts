/** Arguments that the playground's programs share. */
import { InvalidArgumentError } from 'commander';

export function parseList(value: string): string[] {
  return value.split(',').map((item) => item.trim());
}

export function parseCount(value: string): number {
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1)
    throw new InvalidArgumentError('Expected a whole number, 1 or more.');
  return count;
}
