/** Work that can run synchronously or asynchronously, written once: a generator that yields the promises to await. */
import { type AsyncModuleHandle, once } from '../shared/module-handle.ts';

/** Yields only if it runs asynchronously. */
export type Steps<Result> = Generator<Promise<unknown>, Result, unknown>;

export interface ModuleHandle extends AsyncModuleHandle {
  loadSync(): WebAssembly.Module;
}

/** Runs one of two functions that have the same result, synchronously or asynchronously. */
export function* syncOrAsync<Result>(
  asynchronous: boolean,
  runSync: () => Result,
  runAsync: () => Promise<Result>,
): Steps<Result> {
  return asynchronous ? ((yield runAsync()) as Result) : runSync();
}

/** Loads a module once, whether `load` or `loadSync` is called first. */
export function createHandle(steps: (asynchronous: boolean) => Steps<WebAssembly.Module>): ModuleHandle {
  let module: WebAssembly.Module | undefined;
  return {
    load: once(async () => (module ??= await runSteps(steps(true)))),
    // Synchronous steps yield nothing, so the first call of `next` returns the result.
    loadSync: () => (module ??= steps(false).next().value as WebAssembly.Module),
  };
}

async function runSteps<Result>(steps: Steps<Result>): Promise<Result> {
  let state = steps.next();
  while (!state.done) {
    // Each step needs the result of the one before.
    // oxlint-disable-next-line no-await-in-loop
    state = await state.value.then(
      (value) => steps.next(value),
      (error) => steps.throw(error),
    );
  }
  return state.value;
}
