/** Finds the bytes that a program passes to the engine, without running any code of the program. */

type Getter<Result> = (this: unknown) => Result;

function getterOf<Result>(prototype: object, name: string | symbol): Getter<Result> | undefined {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get as Getter<Result> | undefined;
}

// Captured before the program can replace them.
const { apply } = Reflect;
const { isView } = ArrayBuffer;
const Bytes = Uint8Array;
const TypedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const typeOf = getterOf<string | undefined>(TypedArray, Symbol.toStringTag);
const bufferOf = getterOf<ArrayBufferLike>(TypedArray, 'buffer');
const offsetOf = getterOf<number>(TypedArray, 'byteOffset');
const lengthOf = getterOf<number>(TypedArray, 'byteLength');
const sizeOf = getterOf<number>(ArrayBuffer.prototype, 'byteLength');
const isResizable = getterOf<boolean>(ArrayBuffer.prototype, 'resizable');

/** Calls a getter that throws for objects of another kind. */
function read<Result>(getter: Getter<Result> | undefined, object: unknown): Result | undefined {
  try {
    return getter && (apply(getter, object, []) as Result);
  } catch {
    return undefined;
  }
}

/**
 * Returns a view of the bytes, or undefined for everything that only the engine should look at: other objects,
 * a DataView (older engines refuse it), and memory that is shared or can be resized, since another thread may
 * change it during the comparison.
 */
export function bytesOf(source: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof source !== 'object' || source === null) return undefined;
  const isTyped = isView(source);
  if (isTyped && read(typeOf, source) === undefined) return undefined;
  const buffer = isTyped ? read(bufferOf, source) : source;
  const size = read(sizeOf, buffer);
  if (size === undefined || read(isResizable, buffer)) return undefined;
  const offset = isTyped ? read(offsetOf, source) : 0;
  const length = isTyped ? read(lengthOf, source) : size;
  // A detached buffer has no bytes, and no view.
  return length ? new Bytes(buffer as ArrayBuffer, offset, length) : undefined;
}
