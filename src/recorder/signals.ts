/**
 * Handles signals that end a process without its `exit` event, while the program does not listen to them
 * itself. While it does, the recorder has no listener, because some packages (signal-exit) count the listeners.
 */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];

/** @param finish called before the signal ends the process */
export function installSignalHandlers(finish: () => void): void {
  for (const signal of SIGNALS) {
    const listener = () => {
      if (process.listenerCount(signal) > 1) return;
      finish();
      stop();
      // The default action now ends the process, so that its exit status names the signal.
      process.kill(process.pid, signal);
    };
    const stop = () => process.removeListener(signal, listener);
    const startIfAlone = () => {
      if (process.listenerCount(signal) === 0) process.on(signal, listener);
    };
    process.on(signal, listener);
    // Node stops listening when the last listener is removed. This one is therefore removed after the other is added.
    process.on('newListener', (event, added) => {
      if (event === signal && added !== listener) queueMicrotask(stopIfNotAlone);
    });
    // Synchronously: a program that sends itself the signal again does so right after it removed its last listener.
    process.on('removeListener', (event, removed) => {
      if (event === signal && removed !== listener) startIfAlone();
    });
    const stopIfNotAlone = () => {
      if (process.listenerCount(signal) > 1) stop();
    };
  }
}
