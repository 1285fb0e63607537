/**
 * What a preload script may have put into `globalThis` before the program, to learn what this runtime does. Looked for at
 * each load; in all other runs there is nothing, and nothing happens.
 */
interface Hooks {
  /** Takes the wire bytes and the path of each file before they are compiled. */
  recorder: Recorder;
  /** Takes the path of each file before it is loaded, and gives what is told of the load. */
  observer: (file: string) => ObserveStep;
}

/**
 * A run that records which functions a program executes: the preload script has also replaced what compiles. Modules are
 * then compiled as usual, since native code keeps no such record.
 */
export type Recorder = (wire: ArrayBuffer, file: string) => void;

/** A run that measures a start: called at the end of each step, with the last one also what it has led to. */
export type ObserveStep = (step: 'map' | 'check' | 'load', module?: WebAssembly.Module, how?: string) => void;

export function getHook<Name extends keyof Hooks>(name: Name): Hooks[Name] | undefined {
  const hook = (globalThis as Record<symbol, unknown>)[Symbol.for(`wasm-precompile.${name}`)];
  return typeof hook === 'function' ? (hook as Hooks[Name]) : undefined;
}
