/** What the subcommands that run a program share. */
import { WasmPrecompileError } from '../error.ts';

/** @returns milliseconds */
export function parseTimeLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  // Timers take 31 bits of milliseconds.
  if (!(seconds > 0 && seconds * 1000 < 2 ** 31)) {
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `--time-limit: expected a number of seconds above 0, found ${JSON.stringify(text)}.`,
    );
  }
  return seconds * 1000;
}

/**
 * Ctrl-C and the like end the command, and not this process before it has written what it has learned. The second time it is
 * this process that ends: the command may not want to.
 */
export function listenForInterruption(): { signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const handlers = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => {
    // The terminal sends SIGINT to all that run in it.
    const listener = () => {
      controller.abort(signal === 'SIGINT' && process.stdin.isTTY ? 'received' : signal);
      // Not `once`: execa (signal-exit) ends this process if it is the only one that still listens when its turn comes.
      setImmediate(() => process.removeListener(signal, listener));
    };
    process.on(signal, listener);
    return [signal, listener] as const;
  });
  return {
    signal: controller.signal,
    stop: () => {
      for (const [signal, listener] of handlers) process.removeListener(signal, listener);
    },
  };
}
