import { initWasm, Resvg } from '@resvg/resvg-wasm';
import module from '@resvg/resvg-wasm/index_bg.wasm?module';
import { defineHandler } from 'nitro';

const ready = initWasm(module);

export default defineHandler(async ({ url }) => {
  await ready;
  const size = url.searchParams.get('size') ?? '100';
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}"><circle cx="50%" cy="50%" r="40%"/></svg>`;
  return new Response(new Resvg(svg).render().asPng(), { headers: { 'content-type': 'image/png' } });
});
