import { defineConfig } from 'vitest/config';

/**
 * Folders of `test/` by their requirements beside Node. Examples: `npx vitest run --project unit`,
 * `npx vitest run test/wasm`.
 */
const PROJECTS = {
  /** Node binaries of other versions at most. */
  unit: [
    'artifact',
    'bench',
    'build',
    'cli',
    'elf',
    'lint',
    'profile',
    'register',
    'report',
    'runtime',
    'split',
    'train',
    'types',
    'v8',
    'wasm',
  ],
  /** A C++ compiler. */
  native: ['native'],
  /** Every bundler. */
  bundlers: ['bundlers', 'discover'],
  /** Chromium, Firefox and WebKit. */
  browser: ['web'],
  /** The package as npm packs it. */
  package: ['package'],
};

export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 240_000,
    // Compiling wasm already uses every core.
    maxWorkers: 2,
    projects: Object.entries(PROJECTS).map(([name, folders]) => ({
      extends: true as const,
      test: { name, include: folders.map((folder) => `test/${folder}/**/*.test.ts`) },
    })),
  },
});
