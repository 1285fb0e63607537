/** @swc/wasm-web (Rust, wasm-bindgen): its generated code takes a module. */
import initSwc, { transformSync } from '@swc/wasm-web';
import { SAMPLE } from '../../app/src/sample-source.ts';

export async function start(): Promise<() => string> {
  const { default: module } = await import('@swc/wasm-web/wasm_bg.wasm?module');
  await initSwc({ module_or_path: module });
  return () =>
    transformSync(SAMPLE, {
      filename: 'thermometer.tsx',
      jsc: {
        target: 'es2018',
        parser: { syntax: 'typescript', tsx: true },
        transform: { react: { runtime: 'automatic' } },
      },
    }).code;
}
