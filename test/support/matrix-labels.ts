/** Labels of the rows in the README's table of bundlers (matrix.ts). */
import type { Bundler, ViteName } from './bundlers.ts';
import type { OtherBundler } from './other-bundlers.ts';

export type MatrixBundler = Bundler | ViteName | OtherBundler;

export const LABELS: Record<MatrixBundler, string> = {
  vite: 'Vite 8',
  vite7: 'Vite 7',
  vite6: 'Vite 6',
  rollup: 'Rollup',
  rolldown: 'Rolldown',
  webpack: 'webpack',
  rspack: 'Rspack',
  esbuild: 'esbuild',
  farm: 'Farm',
  bun: 'Bun',
};

export const FORMATS = { es: 'Node, ES', cjs: 'Node, CommonJS', browser: 'browser' } as const;

export type Format = keyof typeof FORMATS;
