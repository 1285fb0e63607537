/** What a file that is not wasm looks like, and what the user can do. */
interface Identity {
  found: string;
  advice: string;
}

const MAGIC_NUMBERS: readonly (readonly [bytes: readonly number[], identity: Identity])[] = [
  [[0x1f, 0x8b], compressed('gzip', 'gunzip')],
  [[0x28, 0xb5, 0x2f, 0xfd], compressed('zstd', 'zstd -d')],
  [[0x50, 0x4b, 0x03, 0x04], { found: 'a zip archive', advice: 'Extract the .wasm file from it.' }],
  [
    [0x7f, 0x45, 0x4c, 0x46],
    {
      found: 'an ELF file',
      advice: 'If it is a precompiled artifact, use the .wasm file that it was made from.',
    },
  ],
  [
    [0x42, 0x43, 0xc0, 0xde],
    { found: 'LLVM bitcode', advice: 'Link it into a wasm module first (wasm-ld, emcc).' },
  ],
];

const TEXTS: readonly (readonly [pattern: RegExp, identity: Identity])[] = [
  [
    /^version https:\/\/git-lfs/,
    { found: 'a Git LFS pointer', advice: 'Fetch the actual file: `git lfs pull`.' },
  ],
  [
    /^<(!doctype|html|head|body|\?xml|!--)/i,
    {
      found: 'an HTML or XML page',
      advice: 'A server probably responded with an error page: check the address the file came from.',
    },
  ],
  [
    /^(\(module|\(component|\(;|;;)/,
    { found: 'the WebAssembly text format', advice: 'Assemble it first: `wat2wasm` or `wasm-tools parse`.' },
  ],
  [/^AGFzb/, { found: 'wasm in base64', advice: 'Decode it first: `base64 -d`.' }],
];

/** Describes a file that does not start with the magic number of wasm. */
export function identify(bytes: Uint8Array): Identity {
  if (bytes.length === 0) return { found: 'an empty file', advice: 'Build or download it again.' };
  for (const [magic, identity] of MAGIC_NUMBERS) {
    if (magic.every((byte, index) => bytes[index] === byte)) return identity;
  }
  const text = new TextDecoder().decode(bytes.subarray(0, 256)).trimStart();
  for (const [pattern, identity] of TEXTS) if (pattern.test(text)) return identity;
  const start = bytes.subarray(0, 8);
  const readable = /^[\t\n\r -~]*$/.test(new TextDecoder('latin1').decode(start));
  return {
    found: readable
      ? `text that starts with ${JSON.stringify(text.slice(0, 24))}`
      : Array.from(start, (byte) => byte.toString(16).padStart(2, '0')).join(' '),
    // Brotli has no magic number, so this advice is the only place to mention it.
    advice: 'Check that the file is a WebAssembly binary; if it is compressed (brotli), decompress it first.',
  };
}

function compressed(format: string, command: string): Identity {
  return {
    found: `a file compressed with ${format}`,
    advice: `Decompress it first: \`${command}\`. Let the web server compress files, after the build.`,
  };
}

/** Returns whether bytes are a core module: the magic number, then version 1. A component has another version. */
export function isCoreModule(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 8)).equals(CORE_MODULE_PREAMBLE);
}

const CORE_MODULE_PREAMBLE = Buffer.from('0061736d01000000', 'hex');
