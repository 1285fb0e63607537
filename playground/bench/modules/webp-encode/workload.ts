/** The encoder of @jsquash/webp (C++ with SIMD, Emscripten): its generated code takes a module. */
import encode, { init } from '@jsquash/webp/encode.js';
import type { Stopwatch } from '../../../app/src/startup.ts';

const [WIDTH, HEIGHT] = [320, 240];

/** Paints two gradients and a pattern. */
function paint(): ImageData {
  const data = new Uint8ClampedArray(WIDTH * HEIGHT * 4);
  for (let pixel = 0; pixel < WIDTH * HEIGHT; pixel += 1) {
    const [x, y] = [pixel % WIDTH, Math.floor(pixel / WIDTH)];
    data.set([(x * 255) / WIDTH, (y * 255) / HEIGHT, (x * y) & 0xff, 0xff], pixel * 4);
  }
  return { data, width: WIDTH, height: HEIGHT, colorSpace: 'srgb' };
}

/** Starts the encoder and encodes a picture; returns a WebP file. */
export async function start(stopwatch: Stopwatch): Promise<Uint8Array> {
  const { default: module } = await import('@jsquash/webp/codec/enc/webp_enc_simd.wasm?module');
  stopwatch.lap('load');
  await init(module);
  stopwatch.lap('instantiate');
  const result = await encode(paint());
  stopwatch.lap('call');
  return new Uint8Array(result);
}
