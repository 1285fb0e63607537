/** The workload that a build of the bench measures. */
declare module 'bench:workload' {
  export const start: import('../../app/src/start.ts').StartModule;
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
