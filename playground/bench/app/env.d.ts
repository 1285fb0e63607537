/** The workload of a benchmark build. */
declare module 'bench:workload' {
  export const start: import('../../app/src/startup.ts').StartModule;
}

declare module '*.webp?inline' {
  const url: string;
  export default url;
}

declare module 'esbuild-wasm/lib/browser.js' {
  const esbuild: typeof import('esbuild-wasm');
  export default esbuild;
  export * from 'esbuild-wasm';
}
