import initSqlJs, { type SqlJs } from 'sql.js';

/** Starts sql.js with an instance of ours: its glue code (Emscripten) lets us instantiate, which is what `?init` is for. */
export function startSqlJs(
  instantiate: (imports: WebAssembly.Imports) => Promise<WebAssembly.Instance>,
): Promise<SqlJs> {
  return new Promise((resolve, reject) => {
    const ready = initSqlJs({
      instantiateWasm(imports, done) {
        const handOver = async () => done(await instantiate(imports));
        // Emscripten waits forever where nothing is handed over.
        handOver().catch(reject);
        return {};
      },
    });
    ready.then(resolve, reject);
  });
}
