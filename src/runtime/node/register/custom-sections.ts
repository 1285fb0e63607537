/**
 * What `WebAssembly.Module.customSections` returns for a module, read from its bytes (WebAssembly core
 * specification, 5.5.3).
 */

const PREAMBLE_SIZE = 8;
const CUSTOM_SECTION = 0;

/**
 * @param bytes a valid module
 * @returns the contents of each custom section with this name, in order
 */
export function customSections(bytes: Uint8Array<ArrayBuffer>, name: string): ArrayBuffer[] {
  const found: ArrayBuffer[] = [];
  const decoder = new TextDecoder();
  let at = PREAMBLE_SIZE;
  const readSize = () => {
    let value = 0;
    let shift = 0;
    let byte;
    do {
      byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    } while (byte & 0x80);
    return value;
  };
  while (at < bytes.length) {
    const id = bytes[at++];
    const size = readSize();
    const end = at + size;
    if (id === CUSTOM_SECTION) {
      const length = readSize();
      if (decoder.decode(bytes.subarray(at, at + length)) === name)
        found.push(bytes.slice(at + length, end).buffer);
    }
    at = end;
  }
  return found;
}
