/** Types for modules without types, as far as the application uses them. */

declare module 'sql.js' {
  export interface Database {
    run(statements: string): Database;
    exec(statements: string): { columns: string[]; values: (string | number | null)[][] }[];
    close(): void;
  }
  export interface SqlJs {
    Database: new () => Database;
  }
  export default function initSqlJs(options: {
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void): object;
  }): Promise<SqlJs>;
}

declare module '*.svg?raw' {
  const source: string;
  export default source;
}

declare module '*.css?raw' {
  const source: string;
  export default source;
}

interface ImportMeta {
  readonly env: {
    /** How the application is built: `baseline`, `precompiled` …. */
    readonly MODE: string;
  };
}
