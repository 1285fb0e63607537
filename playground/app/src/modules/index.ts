/** The modules, each with a separate import, so that measuring one does not load the others. */
import type { StartModule } from '../startup.ts';

export const MODULES = {
  'sql.js': () => import('./sql.ts'),
  '@resvg/resvg-wasm': () => import('./resvg.ts'),
  '@swc/wasm-web': () => import('./swc.ts'),
} satisfies Record<string, () => Promise<{ start: StartModule }>>;

export type ModuleName = keyof typeof MODULES;

export function isModuleName(name: string | undefined): name is ModuleName {
  return name !== undefined && Object.hasOwn(MODULES, name);
}
