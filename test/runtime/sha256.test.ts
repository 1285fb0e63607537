import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { sha256 } from '../../src/runtime/browser/sha256.ts';
import { randomNumbers } from '../v8/random.ts';

// Sizes around the ends of blocks, which contain the length, and others.
test.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_000])(
  'computes the same hash of %d bytes as Node',
  (size) => {
    const random = randomNumbers(size);
    const bytes = Uint8Array.from({ length: size }, () => random(256));
    expect(sha256(bytes)).toBe(createHash('sha256').update(bytes).digest('base64'));
  },
);
