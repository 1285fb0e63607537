/** tiktoken (Rust, wasm-bindgen): its `init` takes a function that instantiates. */
import { init, Tiktoken } from 'tiktoken/lite/init';
import instantiate from 'tiktoken/lite/tiktoken_bg.wasm?init';
import model from 'tiktoken/encoders/cl100k_base.json' with { type: 'json' };
import { SAMPLE } from '../../../app/src/sample-source.ts';
import type { Stopwatch } from '../../../app/src/startup.ts';

/** Starts tiktoken and splits a text into tokens. */
export async function start(stopwatch: Stopwatch): Promise<number[]> {
  await init(async (imports) => {
    const instance = await instantiate(imports);
    stopwatch.lap('load');
    return instance;
  });
  stopwatch.lap('instantiate');
  const encoder = new Tiktoken(model.bpe_ranks, model.special_tokens, model.pat_str);
  const result = [...encoder.encode(SAMPLE)];
  stopwatch.lap('call');
  return result;
}
