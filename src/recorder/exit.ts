/**
 * The end of a process by itself, by `process.exit` or by an uncaught error. Node calls `process.emit('exit')` in each of
 * these cases, and the listeners of the program may run WebAssembly: the last moment is after them, whoever was first.
 * There is no listener of ours, which the program could see, or take away with its own.
 */
export function installExitHook(finish: () => void): void {
  const finishQuietly = () => {
    try {
      finish();
    } catch {
      // It must not change how the program ends.
    }
  };
  wrap('emit', (original, self, args) => {
    if (args[0] !== 'exit' || self !== process) return Reflect.apply(original, self, args);
    try {
      return Reflect.apply(original, self, args);
    } finally {
      finishQuietly();
    }
  });
  // What `process.exit` ends with, also when a listener calls that again. Some programs call it at once.
  wrap('reallyExit', (original, self, args) => {
    finishQuietly();
    return Reflect.apply(original, self, args);
  });
}

type Call = (original: (...args: unknown[]) => unknown, self: unknown, args: unknown[]) => unknown;

function wrap(name: 'emit' | 'reallyExit', call: Call): void {
  const owner = process as unknown as Record<string, (...args: unknown[]) => unknown>;
  const original = owner[name];
  if (typeof original !== 'function') return;
  Object.defineProperty(process, name, {
    configurable: true,
    writable: true,
    enumerable: Object.keys(process).includes(name),
    value: new Proxy(original, { apply: (target, self, args: unknown[]) => call(target, self, args) }),
  });
}
