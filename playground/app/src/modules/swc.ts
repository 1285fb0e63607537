/** @swc/wasm-web (Rust, wasm-bindgen): its generated code takes a module. */
import initSwc, { transformSync } from '@swc/wasm-web';
import { SAMPLE } from '../sample-source.ts';
import type { Stopwatch } from '../startup.ts';

/** Starts swc and transforms the sample; returns JavaScript. */
export async function start(stopwatch: Stopwatch): Promise<string> {
  const { default: module } = await import('@swc/wasm-web/wasm_bg.wasm?module');
  stopwatch.lap('load');
  await initSwc({ module_or_path: module });
  stopwatch.lap('instantiate');
  const { code } = transformSync(SAMPLE, {
    filename: 'thermometer.tsx',
    jsc: {
      target: 'es2018',
      parser: { syntax: 'typescript', tsx: true },
      transform: { react: { runtime: 'automatic' } },
    },
  });
  stopwatch.lap('call');
  return code;
}
