import { fileURLToPath } from 'node:url';
import { defineConfig } from 'tsdown';

const base = {
  checks: { pluginTimings: false },
  fixedExtension: false,
  platform: 'node',
  target: 'node20.19',
} as const;

/** A script for `node --require`: one CommonJS file, so that it runs before any module of the program. */
const preload = (name: string, file: string) =>
  ({
    ...base,
    checks: { ...base.checks, legacyCjs: false },
    dts: false,
    entry: { [name]: file },
    format: 'cjs',
  }) as const;

/** What the name `WebAssembly` means in the register hook. */
const ENGINE = fileURLToPath(new URL('src/runtime/node/register/engine.ts', import.meta.url));

/**
 * The register hook as one file: `main` is copied into outputs, `app` is what `node --import
 * unplugin-wasm-precompile/register` runs.
 */
const registerHook = (name: 'main' | 'app', format: 'esm' | 'cjs') =>
  ({
    ...base,
    checks: { ...base.checks, legacyCjs: false },
    dts: false,
    entry: { [`register/${name}-${format}`]: `src/runtime/node/register/${name}.ts` },
    format,
    inputOptions: {
      transform: {
        inject: {
          WebAssembly: [ENGINE, 'engine'] as [string, string],
        },
      },
    },
    minify: true,
  }) as const;

export default defineConfig([
  {
    ...base,
    copy: [
      { from: 'src/v8/compile-host.js', to: 'dist/v8' },
      { from: 'src/v8/recompile-host.js', to: 'dist/v8' },
      { from: 'src/types.d.ts', to: 'dist' },
      { from: ['src/register.d.ts', 'src/register.d.cts'], to: 'dist' },
    ],
    dts: true,
    entry: [
      'src/*.ts',
      '!src/*.d.ts',
      'src/bundlers/webpack/{loader,transform-loader}.ts',
      'src/cli/{index,doctor-process}.ts',
      'src/runtime/node/{index,plain,compatibility,file}.ts',
      'src/runtime/node/recompile/recompile.ts',
      'src/runtime/node/split/load-split.ts',
      'src/runtime/browser/{load,load-split,transfer,sha256}.ts',
      'src/runtime/shared/{link,memory-image}.ts',
    ],
    format: 'esm',
    unbundle: true,
  },
  registerHook('main', 'esm'),
  registerHook('main', 'cjs'),
  registerHook('app', 'esm'),
  registerHook('app', 'cjs'),
  preload('recorder/preload', 'src/recorder/preload.ts'),
  preload('recorder/startup-preload', 'src/recorder/startup-preload.ts'),
  {
    ...base,
    copy: [
      { from: 'src/report/page/page.css', to: 'dist/report' },
      {
        from: [
          'node_modules/echarts/LICENSE',
          'node_modules/echarts/NOTICE',
          'node_modules/echarts/licenses/LICENSE-d3',
        ],
        to: 'dist/report/licences/echarts',
      },
      { from: 'node_modules/zrender/LICENSE', to: 'dist/report/licences/zrender' },
    ],
    dts: false,
    entry: { 'report/page': 'src/report/page/index.ts' },
    format: 'esm',
    inlineOnly: ['echarts', 'tslib', 'zrender'],
    minify: true,
    platform: 'browser',
    target: 'es2022',
  },
]);
