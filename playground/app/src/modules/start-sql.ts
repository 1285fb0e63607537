import initSqlJs, { type SqlJs } from 'sql.js';

/** Starts sql.js with our own instance: code of Emscripten lets the caller instantiate, as `?init` does. */
export function startSqlJs(
  instantiate: (imports: WebAssembly.Imports) => Promise<WebAssembly.Instance>,
): Promise<SqlJs> {
  return new Promise((resolve, reject) => {
    const ready = initSqlJs({
      instantiateWasm(imports, done) {
        const instantiateAndPass = async () => done(await instantiate(imports));
        // Without an instance, Emscripten's promise never settles.
        instantiateAndPass().catch(reject);
        return {};
      },
    });
    ready.then(resolve, reject);
  });
}
