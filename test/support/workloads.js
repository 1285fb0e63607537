// @ts-check
/**
 * Workloads of real modules, in JavaScript, because they run unbuilt in every Node version. A workload is prepared
 * before the measurement, which loads its JavaScript, and instantiates a `WebAssembly.Module`.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

/**
 * @typedef {object} Workload
 * @property {(module: WebAssembly.Module) => Promise<unknown>} instantiate
 * @property {() => unknown} call one unit of work; returns or resolves to the same result each time
 */

const TSX = `import { useState } from 'react';
enum Unit { Celsius, Fahrenheit }
interface Props<Value extends number = number> { readings: readonly Value[]; unit?: Unit }
export class Mean {
  #sum = 0;
  static from = (values: readonly number[]) => Object.assign(new Mean(), { values });
  constructor(private readonly values: readonly number[] = []) {}
  get value(): number | undefined {
    for (const value of this.values) this.#sum += value;
    return this.values.at(-1) && this.#sum / this.values.length;
  }
}
export async function* Thermometer({ readings, unit = Unit.Celsius, ...rest }: Props) {
  const [open, setOpen] = useState<boolean>(false);
  const mean = Mean.from(readings)?.value ?? Number.NaN;
  yield (
    <section {...rest} onClick={() => setOpen(!open)}>
      <h2>{\`\${mean.toFixed(1)} °\${unit === Unit.Celsius ? 'C' : 'F'}\`}</h2>
      {open && readings.map((value, day) => <meter key={day} value={value ** 2} />)}
    </section>
  );
}
`;

const SQL = `
  CREATE TABLE sale (id INTEGER PRIMARY KEY, product TEXT NOT NULL, day TEXT, pieces INTEGER);
  WITH RECURSIVE counter (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counter WHERE n < 399)
    INSERT INTO sale (product, day, pieces)
    SELECT 'p' || n * n % 17 % 4, date('2026-01-01', format('+%d days', n * n % 365)), 1 + n * 31 % 19 % 5 FROM counter;
  CREATE INDEX sale_by_product ON sale (product);
`;

const QUERY = `
  WITH monthly AS (
    SELECT product, strftime('%m', day) AS month, sum(pieces) AS pieces FROM sale GROUP BY product, month
  )
  SELECT product, month, pieces, rank() OVER (PARTITION BY product ORDER BY pieces DESC, month) AS place
  FROM monthly ORDER BY place, product
`;

/** @type {Record<string, { wasm: string, prepare: () => Promise<Workload> }>} */
export const WORKLOADS = {
  'sql.js': {
    wasm: require.resolve('sql.js/dist/sql-wasm.wasm'),
    async prepare() {
      const { default: initSqlJs } = await import('sql.js');
      /** @type {import('sql.js').SqlJs | undefined} */
      let sqlite;
      return {
        async instantiate(module) {
          sqlite = await initSqlJs({
            instantiateWasm(imports, done) {
              done(new WebAssembly.Instance(module, imports));
              return {};
            },
          });
        },
        call() {
          if (!sqlite) throw new Error('sql.js is not instantiated');
          const database = new sqlite.Database();
          database.run(SQL);
          const result = database.exec(QUERY);
          database.close();
          return result;
        },
      };
    },
  },
  '@resvg/resvg-wasm': {
    wasm: require.resolve('@resvg/resvg-wasm/index_bg.wasm'),
    async prepare() {
      const { initWasm, Resvg } = await import('@resvg/resvg-wasm');
      const picture = fileURLToPath(new URL('../../playground/app/src/picture.svg', import.meta.url));
      const svg = readFileSync(picture, 'utf8');
      return {
        instantiate: (module) => initWasm(module),
        call: () => new Resvg(svg, { fitTo: { mode: 'width', value: 240 } }).render().asPng(),
      };
    },
  },
  '@swc/wasm-web': {
    wasm: fileURLToPath(new URL('../../node_modules/@swc/wasm-web/wasm_bg.wasm', import.meta.url)),
    async prepare() {
      const { default: initSwc, transformSync } = await import('@swc/wasm-web');
      return {
        instantiate: (module) => initSwc({ module_or_path: module }),
        call: () =>
          transformSync(TSX, {
            filename: 'thermometer.tsx',
            jsc: {
              target: 'es2018',
              parser: { syntax: 'typescript', tsx: true },
              transform: { react: { runtime: 'automatic' } },
            },
          }).code,
      };
    },
  },
  'esbuild-wasm': {
    wasm: require.resolve('esbuild-wasm/esbuild.wasm'),
    async prepare() {
      const esbuild = require('esbuild-wasm/lib/browser.js');
      // The build for browsers accepts a module.
      Object.assign(globalThis, { self: globalThis });
      return {
        instantiate: (module) => esbuild.initialize({ wasmModule: module, worker: false }),
        call: async () => {
          const { code } = await esbuild.transform(TSX, { loader: 'tsx', target: 'es2018', minify: true });
          return code;
        },
      };
    },
  },
};

/**
 * Returns the text of the worst case for ahead-of-time code: a compiler that leaves inlining to V8. A loop only calls a
 * small function.
 * @param {string} call
 */
const loopOf = (call) => `
(module
  (type $unary (func (param i32) (result i32)))
  (table funcref (elem $triple))
  (func $triple (param i32) (result i32) local.get 0 i32.const 3 i32.mul i32.const 7 i32.xor)
  (func (export "run") (param $n i32) (param $slot i32) (result i32) (local $value i32)
    loop $next
      local.get $value ${call} local.set $value
      local.get $n i32.const 1 i32.sub local.tee $n
      br_if $next
    end
    local.get $value)
)`;

/** @returns {Promise<Workload>} */
async function prepareLoop() {
  /** @type {undefined | ((n: number, slot: number) => unknown)} */
  let run;
  return {
    async instantiate(module) {
      ({ run } = /** @type {any} */ (new WebAssembly.Instance(module).exports));
    },
    call: () => run?.(300_000, 0),
  };
}

/** @type {Record<string, { wat: string, prepare: () => Promise<Workload> }>} */
export const GENERATED = {
  'direct calls': { wat: loopOf('call $triple'), prepare: prepareLoop },
  'calls by table': { wat: loopOf('local.get $slot call_indirect (type $unary)'), prepare: prepareLoop },
};
