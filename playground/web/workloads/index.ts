/** The modules of the pages, each with a separate import. */

/** Loads and initialises a module; returns a function that does its work, whose result can be compared. */
export type StartInPage = () => Promise<() => string>;

export const WORKLOADS = {
  'sql.js': () => import('./sql.ts'),
  '@resvg/resvg-wasm': () => import('./resvg.ts'),
  '@swc/wasm-web': () => import('./swc.ts'),
} satisfies Record<string, () => Promise<{ start: StartInPage }>>;
