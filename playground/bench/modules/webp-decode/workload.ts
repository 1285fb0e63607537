/** The decoder of @jsquash/webp (C++, Emscripten): its generated code takes a module. */
import decode, { init } from '@jsquash/webp/decode.js';
import type { Stopwatch } from '../../../app/src/startup.ts';
import picture from './picture.webp?inline';

/** Missing in Node. */
class ImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}

Object.assign(globalThis, { ImageData });

const BYTES = Uint8Array.from(Buffer.from(picture.slice(picture.indexOf(',') + 1), 'base64'));

/** Starts the decoder and decodes a picture; returns its pixels. */
export async function start(stopwatch: Stopwatch): Promise<Uint8Array> {
  const { default: module } = await import('@jsquash/webp/codec/dec/webp_dec.wasm?module');
  stopwatch.lap('load');
  await init(module);
  stopwatch.lap('instantiate');
  const { data } = await decode(BYTES.buffer);
  stopwatch.lap('call');
  return new Uint8Array(data.buffer);
}
