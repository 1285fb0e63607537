/**
 * Signals that end a process without its `exit` event, as long as the program does not listen to them itself. While it
 * does there is no listener of ours: some packages (signal-exit) count the listeners.
 */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];

/** @param finish called before the process ends by the signal */
export function installSignalHandlers(finish: () => void): void {
  for (const signal of SIGNALS) {
    const listener = () => {
      if (process.listenerCount(signal) > 1) return;
      finish();
      stop();
      // Now by default: the exit status tells the signal.
      process.kill(process.pid, signal);
    };
    const stop = () => process.removeListener(signal, listener);
    const startIfAlone = () => {
      if (process.listenerCount(signal) === 0) process.on(signal, listener);
    };
    process.on(signal, listener);
    // Node stops to listen when the last listener goes, so ours leaves after another one has come.
    process.on('newListener', (event, added) => {
      if (event === signal && added !== listener) queueMicrotask(stopIfNotAlone);
    });
    // At once: a program that sends itself the signal again does so right after its last listener has gone.
    process.on('removeListener', (event, removed) => {
      if (event === signal && removed !== listener) startIfAlone();
    });
    const stopIfNotAlone = () => {
      if (process.listenerCount(signal) > 1) stop();
    };
  }
}
