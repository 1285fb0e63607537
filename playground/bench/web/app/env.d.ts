declare module 'web:workload' {
  export const start: import('../../../web/workloads/index.ts').StartInPage;
}
