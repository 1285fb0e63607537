import wabt from 'wabt';

/** Proposals that wabt does not enable by default. */
const FEATURES = {
  exceptions: true,
  threads: true,
  tail_call: true,
  memory64: true,
  multi_memory: true,
  extended_const: true,
};

const { parseWat } = await wabt();

/** Assembles the text format, with a name section. */
export function wat(text: string): Uint8Array {
  const module = parseWat('module.wat', text, FEATURES);
  try {
    return module.toBinary({ write_debug_names: true }).buffer;
  } finally {
    module.destroy();
  }
}

/** A module with one function, `value`, that returns a number. */
export function watOfValue(value: number): Uint8Array {
  return wat(`(module (func (export "value") (result i32) i32.const ${value}))`);
}

/** Returns a string of the text format, with all characters escaped as UTF-8 bytes. */
export function watString(text: string): string {
  const bytes = [...new TextEncoder().encode(text)];
  return `"${bytes.map((byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('')}"`;
}
