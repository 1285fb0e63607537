/**
 * Detects the end of a process: by itself, by `process.exit` or by an uncaught error. Node calls
 * `process.emit('exit')` in each case. Exit listeners of the program may still run WebAssembly, so the hook
 * runs after all of them.
 *
 * The recorder adds no listener of its own: the program could see it, or remove it together with its own
 * listeners.
 */
export function installExitHook(finish: () => void): void {
  const finishQuietly = () => {
    try {
      finish();
    } catch {
      // An error of the recorder must not change how the program ends.
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
  // `process.exit` ends with this call, also if a listener calls `process.exit` again. Some programs call it directly.
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
