/** Handles Ctrl-C and similar signals during a run: they end the command first, and this process after it. */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Interruption {
  /** Options of `train`: the first signal asks all processes to end, the second kills them. */
  options: { interrupt: AbortSignal; kill: AbortSignal };
  /** Restores the usual effect of signals. */
  stop(): void;
  /** After `stop`: sends this process the received signal again, unless another listener handles it. */
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
      // A third signal ends this process. The listener is removed later, because signal-exit, which execa uses,
      // ends this process if its own listener is the only one left when it is called.
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
