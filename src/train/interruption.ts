/** Ctrl-C and the like during a training: they end the command, and this process only after it. */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interruption {
  /** Options of `train`: the first signal asks all that runs to end, the second ends it. */
  options: { interrupt: AbortSignal; kill: AbortSignal };
  /** Signals have their usual effect again. */
  stop(): void;
  /** After `stop`: the effect that the signal would have had, if there was one and nobody else has listened to it. */
  raise(): void;
}

export function listenForInterruption(): Interruption {
  const interrupt = new AbortController();
  const kill = new AbortController();
  let received: NodeJS.Signals | undefined;
  const stop = () => {
    for (const [signal, listener] of listeners) process.removeListener(signal, listener);
  };
  const listeners = SIGNALS.map((signal) => {
    const listener = () => {
      if (received === undefined) {
        received = signal;
        interrupt.abort(signal);
        return;
      }
      kill.abort();
      // The third time it is this process that ends. Not at once: signal-exit, which execa uses, ends this process if it is
      // the only one that still listens when its turn comes.
      setImmediate(stop);
    };
    process.on(signal, listener);
    return [signal, listener] as const;
  });
  return {
    options: { interrupt: interrupt.signal, kill: kill.signal },
    stop,
    raise() {
      if (received !== undefined && process.listenerCount(received) === 0)
        process.kill(process.pid, received);
    },
  };
}
