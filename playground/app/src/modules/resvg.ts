/** @resvg/resvg-wasm (Rust, wasm-bindgen): its generated code takes a module. */
import { initWasm, Resvg } from '@resvg/resvg-wasm';
import svg from '../picture.svg?raw';
import type { Stopwatch } from '../startup.ts';

/** Starts resvg and renders the picture; returns a PNG file. */
export async function start(stopwatch: Stopwatch): Promise<Uint8Array> {
  const { default: module } = await import('@resvg/resvg-wasm/index_bg.wasm?module');
  stopwatch.lap('load');
  await initWasm(module);
  stopwatch.lap('instantiate');
  const result = new Resvg(svg).render().asPng();
  stopwatch.lap('call');
  return result;
}
