import { defineConfig } from 'vitest/config';

/** Folders of `test/`, by what their tests need beside Node: `npx vitest run --project unit`, `npx vitest run test/wasm`. */
const PROJECTS = {
  /** Nothing, or node binaries of other versions. */
  unit: [
    'artifact',
    'bench',
    'build',
    'cli',
    'elf',
    'profile',
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
    // Compiling wasm uses every core by itself.
    maxWorkers: 2,
    projects: Object.entries(PROJECTS).map(([name, folders]) => ({
      extends: true as const,
      test: { name, include: folders.map((folder) => `test/${folder}/**/*.test.ts`) },
    })),
  },
});
