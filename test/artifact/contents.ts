import type { ArtifactContents, NativeCode } from '../../src/artifact/contents.ts';

/** `(module)`. */
const WIRE = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);

/** mov eax, 42; ret */
const ANSWER = Uint8Array.of(0xb8, 42, 0, 0, 0, 0xc3);
/** lea eax, [rdi + rsi]; nop; nop; ret */
const ADD = Uint8Array.of(0x8d, 0x04, 0x37, 0x90, 0x90, 0xc3);

/** Bytes that disassemble to `in eax, dx`. Nothing else here contains them. */
const METADATA = Uint8Array.of(0xed, 0xed, 0xed, 0xed, 0xed);

export const ENGINE = 'v8-13.6.233.17-node.53-linux-x64-00023eff-823df6f1';

/** Native code of two functions with hand-written instructions: 3 has no name and 5 lies between metadata. */
export function handMadeNative(engine = ENGINE, version = 'v8-13.6.233.17'): NativeCode {
  const bytes = Buffer.concat([METADATA, ANSWER, METADATA, METADATA, ADD, METADATA]);
  return {
    engine,
    version,
    release: 'node 24.9.0',
    cpu: { level: 'x86-64-v3', needs: 0x23e7f, features: 'SSE4_2 SSE4_1', trial: 'AAAA', versionTag: 7 },
    bytes,
    functions: [
      { index: 3, offset: 5, size: ANSWER.length },
      { index: 5, offset: 21, size: ADD.length },
    ],
    statistics: { functions: 4, compiled: 2, codeSize: ANSWER.length + ADD.length },
  };
}

export function handMadeContents(changes: Partial<ArtifactContents> = {}): ArtifactContents {
  return {
    producer: 'unplugin-wasm-precompile 0.1.0',
    machine: 'x64',
    name: 'tiny-module',
    sourceSha256: '93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476',
    wire: WIRE,
    interface: { imports: [], exports: [{ name: 'add', kind: 'function' }] },
    functionNames: new Map([[5, 'add<i32>']]),
    native: [handMadeNative()],
    ...changes,
  };
}
