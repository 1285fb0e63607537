/** @resvg/resvg-wasm (Rust, wasm-bindgen): its generated code takes a module. */
import { initWasm, Resvg } from '@resvg/resvg-wasm';
import svg from '../../app/src/picture.svg?raw';

export async function start(): Promise<() => string> {
  const { default: module } = await import('@resvg/resvg-wasm/index_bg.wasm?module');
  await initWasm(module);
  return () => {
    const png = new Resvg(svg).render().asPng();
    return btoa(Array.from(png, (byte) => String.fromCharCode(byte)).join(''));
  };
}
