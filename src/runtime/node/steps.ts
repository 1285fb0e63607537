/** One description of work that can be done at once or asynchronously: a generator that awaits only what it yields. */
import { type AsyncModuleHandle, once } from '../shared/module-handle.ts';

/** Yields only where it was asked to work asynchronously. */
export type Steps<Result> = Generator<Promise<unknown>, Result, unknown>;

export interface ModuleHandle extends AsyncModuleHandle {
  loadSync(): WebAssembly.Module;
}

/** Where the ways part: the same result, at once or later. */
export function* either<Result>(
  asynchronous: boolean,
  now: () => Result,
  later: () => Promise<Result>,
): Steps<Result> {
  return asynchronous ? ((yield later()) as Result) : now();
}

/** Loads once, whichever way is asked for first. */
export function createHandle(steps: (asynchronous: boolean) => Steps<WebAssembly.Module>): ModuleHandle {
  let module: WebAssembly.Module | undefined;
  return {
    load: once(async () => (module ??= await runLater(steps(true)))),
    // Without a yield the first step is the whole way.
    loadSync: () => (module ??= steps(false).next().value as WebAssembly.Module),
  };
}

async function runLater<Result>(steps: Steps<Result>): Promise<Result> {
  let state = steps.next();
  while (!state.done) {
    // One step after another.
    // oxlint-disable-next-line no-await-in-loop
    state = await state.value.then(
      (value) => steps.next(value),
      (error) => steps.throw(error),
    );
  }
  return state.value;
}
