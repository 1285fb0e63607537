/**
 * Hooks that a preload script of a training or measuring run puts into `globalThis` before the program starts. Each
 * load looks them up and calls them. In all other runs there are none.
 */
interface PreloadHooks {
  /** Called with the wire bytes and the path of each file before they are compiled. */
  recorder: Recorder;
  /** Called with the path of each file before it is loaded; returns a function to call after each step of that load. */
  observer: (file: string) => ObserveStep;
}

/**
 * Records which functions a program executes. The preload script has also replaced the functions that compile
 * modules. Modules are then compiled as usual, because native code keeps no such record.
 */
export type Recorder = (wire: ArrayBuffer, file: string) => void;

/** Measures a startup. Called at the end of each step; the last call also passes the module and how it was made. */
export type ObserveStep = (step: 'map' | 'check' | 'load', module?: WebAssembly.Module, how?: string) => void;

export function getHook<Name extends keyof PreloadHooks>(name: Name): PreloadHooks[Name] | undefined {
  const hook = (globalThis as Record<symbol, unknown>)[Symbol.for(`wasm-precompile.${name}`)];
  return typeof hook === 'function' ? (hook as PreloadHooks[Name]) : undefined;
}
