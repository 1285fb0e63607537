/**
 * wasm-vips (C and C++, Emscripten): throws wasm exceptions, works in threads that share its memory, and lets us instantiate.
 * It wants the module, too, to hand it on to its threads.
 */
import Vips from 'wasm-vips';
import type { Stopwatch } from '../../../app/src/start.ts';

/** Starts vips, has it scale and blur a picture, and has it throw; gives a PNG file. */
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
    throw new Error('vips took text for a picture');
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
