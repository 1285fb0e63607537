/**
 * wasm-vips (C and C++, Emscripten): throws wasm exceptions, and uses threads that share its memory. It lets the caller
 * instantiate, and needs the module for its threads.
 */
import Vips from 'wasm-vips';
import type { Stopwatch } from '../../../app/src/startup.ts';

/** Starts vips, scales and blurs a picture, and provokes an exception; returns a PNG file. */
export async function start(stopwatch: Stopwatch): Promise<Uint8Array> {
  const { default: module } = await import('wasm-vips/vips.wasm?module');
  stopwatch.lap('load');
  const vips = await Vips({
    dynamicLibraries: [],
    instantiateWasm(imports, done) {
      done(new WebAssembly.Instance(module, imports), module);
      return {};
    },
  });
  stopwatch.lap('instantiate');
  const picture = vips.Image.xyz(320, 240).extractBand(0).linear(0.7, 3).cast('uchar');
  const result = picture.resize(0.5).gaussblur(2).writeToBuffer('.png');
  if (!throwsError(() => vips.Image.newFromBuffer('no picture')))
    throw new Error('vips accepted text as a picture');
  stopwatch.lap('call');
  return result;
}

function throwsError(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch {
    return true;
  }
}
