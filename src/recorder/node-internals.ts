/**
 * Returns whether Node itself is compiling. It has modules of its own, of undici and of the CommonJS lexer, and
 * compiles them with the program's `WebAssembly`.
 */
export function isCalledByNode(): boolean {
  const { stackTraceLimit } = Error;
  const prepare = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  try {
    Error.stackTraceLimit = 20;
    Reflect.deleteProperty(Error, 'prepareStackTrace');
    const frames = new Error('stack').stack?.split('\n').slice(1) ?? [];
    const caller = frames.find((frame) => !frame.includes(__filename) && !frame.includes('Reflect.'));
    return caller !== undefined && /\bnode:internal\/deps\//.test(caller);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (prepare) Object.defineProperty(Error, 'prepareStackTrace', prepare);
  }
}
