/**
 * A run that records which functions a program executes: a preload script has put a function here and has replaced
 * what compiles. Modules are then compiled as usual, since native code keeps no such record.
 */
export type Recorder = (wire: ArrayBuffer, file: string) => void;

/** Takes the wire bytes and the path of each file before they are compiled; undefined in all other runs. */
export function getRecorder(): Recorder | undefined {
  const recorder = (globalThis as Record<symbol, unknown>)[Symbol.for('wasm-precompile.recorder')];
  return typeof recorder === 'function' ? (recorder as Recorder) : undefined;
}
