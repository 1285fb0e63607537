import { initWasm, Resvg } from '@resvg/resvg-wasm';
import module from '@resvg/resvg-wasm/index_bg.wasm?module';

const ready = initWasm(module);

export default defineEventHandler(async (event) => {
  await ready;
  const { size = '100' } = getQuery(event);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}"><circle cx="50%" cy="50%" r="40%"/></svg>`;
  setHeader(event, 'content-type', 'image/png');
  return new Resvg(svg).render().asPng();
});
