/** esbuild-wasm (Go): its build for browsers takes a module. */
import { SAMPLE } from '../../../app/src/sample-source.ts';
import type { Stopwatch } from '../../../app/src/startup.ts';

// esbuild detects browsers by this name.
Object.assign(globalThis, { self: globalThis });
const { default: esbuild } = await import('esbuild-wasm/lib/browser.js');

/** Starts esbuild and transforms a file; returns JavaScript. */
export async function start(stopwatch: Stopwatch): Promise<string> {
  const { default: wasmModule } = await import('esbuild-wasm/esbuild.wasm?module');
  stopwatch.lap('load');
  await esbuild.initialize({ wasmModule, worker: false });
  stopwatch.lap('instantiate');
  const { code } = await esbuild.transform(SAMPLE, { loader: 'tsx', target: 'es2018', minify: true });
  stopwatch.lap('call');
  return code;
}
