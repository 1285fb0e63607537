/**
 * Damaged artifacts and artifacts of another build. If the wire bytes are intact, the module is compiled. Otherwise
 * the error contains the file and what to do. For each check, a test shows what would happen without it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactManifest } from '../../src/runtime/shared/manifest.ts';
import { CONSTANT, OTHER_CONSTANT, otherSample, sample, SAMPLE_RESULT } from '../v8/modules.ts';
import { PRECOMPILING, temporaryFolder } from '../v8/support.ts';
import { ensureNode } from '../support/nodes.ts';
import {
  alterBytes,
  build,
  forgeManifest,
  LOAD,
  LOAD_ERROR,
  LOAD_SYNC,
  onlySegment,
  type Output,
  precompiled,
  type Run,
  run,
  writeFile,
  times,
} from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
const OTHER_SAMPLE = path.join(folder, 'other', 'sample.wasm');
writeFileSync(SAMPLE, sample());
mkdirSync(path.dirname(OTHER_SAMPLE));
writeFileSync(OTHER_SAMPLE, otherSample());

const OTHER_RESULT = [OTHER_CONSTANT, ...SAMPLE_RESULT.slice(1)];

/** Distances between the bytes that a test changes one at a time. */
const STRIDE_IN_NATIVE = 17;
const STRIDE_IN_WIRE = 5;

/** The constant as an immediate operand in machine code. */
const IMMEDIATE = Buffer.alloc(4);
IMMEDIATE.writeUInt32LE(CONSTANT);

/** Lengths in bytes of artifacts that are truncated after the wire bytes, in descending order. */
function lengthsWithWire({ size, wire, native }: ArtifactManifest): number[] {
  const { offset: code, size: codeSize } = native[0] ?? expect.fail();
  const codeEnd = code + codeSize;
  const wireEnd = wire.offset + wire.size;
  return [
    size - 1,
    size - 40,
    codeEnd,
    codeEnd - 1,
    codeEnd - 100,
    code + 1000,
    code + 1,
    code,
    wireEnd + 1,
    wireEnd,
  ];
}

describe.each(PRECOMPILING)('in Node %s', (version) => {
  let node: string;
  let output: Output;
  let other: Output;
  beforeAll(async () => {
    node = await ensureNode(version);
    output = await build(path.join(folder, version), SAMPLE, [node]);
    other = await build(path.join(folder, `other-${version}`), OTHER_SAMPLE, [node]);
  });

  const start = (script: string, options: Partial<Run> = {}) => run(output, script, { node, ...options });

  /** Expects the module to be compiled from the wire bytes, and one warning with the reason. */
  async function expectFallback(reason: RegExp, options: Partial<Run>) {
    const result = await start(LOAD + LOAD_SYNC, options);
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
    expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual(
      times(2, ['compiled', expect.stringMatching(reason)]),
    );
    expect(result.warnings).toEqual([expect.stringMatching(reason)]);
    expect(result.warnings[0]).toContain(
      `${options.artifact ?? output.artifact}: precompiled code is not used: `,
    );
    expect(result.warnings[0]).toMatch(/The module is compiled at startup instead\. \S/);
  }

  /** Expects an error about the artifact from both kinds of load, with any options. */
  async function expectError(reason: RegExp, options: Partial<Run>) {
    for (const changes of [{}, { verify: false }, { fallback: 'silent' as const }]) {
      const result = await start(LOAD_ERROR, { ...options, options: { ...options.options, ...changes } });
      expect(result).toMatchObject({ end: 0, loads: [], warnings: [] });
      expect(result.printed).toEqual(
        times(2, expect.objectContaining({ message: expect.stringMatching(reason) })),
      );
      for (const { message } of result.printed as { message: string }[]) {
        expect(message).toContain(`${options.artifact ?? output.artifact}: `);
        expect(message).toContain('Deploy the complete build again.');
      }
    }
  }

  it('throws an error with the file and the code of the cause if the artifact is missing', async () => {
    const artifact = path.join(output.folder, 'no-such.elf');
    await expectError(/cannot read this artifact: .*ENOENT/, { artifact });
    expect((await start(LOAD_ERROR, { artifact })).printed).toMatchObject([
      { code: 'ENOENT' },
      { code: 'ENOENT' },
    ]);
  });

  it('throws an error with the path if the artifact is a folder', async () => {
    await expectError(/EISDIR|damaged or missing/, { artifact: output.folder });
  });

  describe('of another length', () => {
    it('compiles if the artifact is truncated after the wire bytes', async () => {
      for (const length of lengthsWithWire(output.manifest)) {
        const artifact = writeFile(output, output.bytes.subarray(0, length));
        await expectFallback(new RegExp(`the file has ${length} bytes instead of ${output.manifest.size}`), {
          artifact,
        });
      }
    });

    it('throws an error if the artifact is truncated in or before the wire bytes', async () => {
      const { wire, buildIdOffset } = output.manifest;
      const headEnd = buildIdOffset + 20;
      const inside = [wire.size - 1, wire.size >> 1, 1, 0].map((size) => wire.offset + size);
      for (const length of [...inside, headEnd + 1, headEnd]) {
        const artifact = writeFile(output, output.bytes.subarray(0, length));
        await expectError(new RegExp(`damaged or missing: the file has ${length} bytes instead of`), {
          artifact,
        });
      }
      for (const length of [headEnd - 1, buildIdOffset, 64, 4, 3, 1, 0]) {
        const artifact = writeFile(output, output.bytes.subarray(0, length));
        await expectError(/damaged or missing: it is not an ELF file/, { artifact });
      }
    });

    it('compiles if the artifact is longer', async () => {
      for (const extra of [1, 65536]) {
        const artifact = writeFile(output, Buffer.concat([output.bytes, Buffer.alloc(extra)]));
        await expectFallback(/the file has \d+ bytes instead of/, { artifact });
      }
    });
  });

  describe('with changed bytes', () => {
    it('compiles if they are in the native code', async () => {
      const { offset, size } = onlySegment(output);
      for (const at of [offset, offset + 12, offset + (size >> 1), offset + size - 1]) {
        const artifact = writeFile(
          output,
          alterBytes(output, (bytes) => bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at)),
        );
        await expectFallback(/its checksum is wrong/, { artifact });
      }
    });

    it('throws an error if they are in the wire bytes', async () => {
      const { offset, size } = output.manifest.wire;
      for (const at of [offset, offset + (size >> 1), offset + size - 1]) {
        const bytes = alterBytes(output, (altered) => altered.writeUInt8(altered.readUInt8(at) ^ 1, at));
        const result = await start(LOAD_ERROR, { artifact: writeFile(output, bytes) });
        expect(result).toMatchObject({ end: 0, loads: [], warnings: [] });
        expect(result.printed).toEqual(
          times(2, {
            message: expect.stringMatching(
              /altered-\d+\.elf: its wasm module is damaged or missing: its checksum is wrong\. Deploy the complete build again\./,
            ),
          }),
        );
      }
    });

    it('never computes another result, wherever they are', async () => {
      const { manifest, bytes } = output;
      const code = onlySegment(output);
      const offsets = [...Array(manifest.buildIdOffset + 20).keys()];
      for (
        let at = manifest.wire.offset;
        at < manifest.wire.offset + manifest.wire.size;
        at += STRIDE_IN_WIRE
      )
        offsets.push(at);
      for (let at = code.offset; at < code.offset + code.size; at += STRIDE_IN_NATIVE) offsets.push(at);
      for (let at = code.offset + code.size; at < bytes.length; at += 211) offsets.push(at);

      const result = await start(
        `
import { writeFileSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
const bytes = readFileSync(fileURLToPath(url));
const altered = new URL('altered-anywhere.elf', import.meta.url);
for (const [index, at] of ${JSON.stringify(offsets)}.entries()) {
  bytes[at] ^= 1 << index % 8;
  writeFileSync(altered, bytes);
  bytes[at] ^= 1 << index % 8;
  const loader = fromArtifact(altered.href, manifest, options);
  try {
    print([at, JSON.stringify(use(index % 2 ? loader.loadSync() : await loader.load()))]);
  } catch (error) {
    print([at, error.message.replace(/^.*: /, '')]);
  }
}`,
        { options: { fallback: 'silent' } },
      );
      const unchanged = JSON.stringify(SAMPLE_RESULT);
      const damaged = 'its checksum is wrong. Deploy the complete build again.';
      expect(result).toMatchObject({ end: 0, warnings: [] });
      expect(result.printed).toEqual(
        offsets.map((at) => {
          const inWire = at >= manifest.wire.offset && at < manifest.wire.offset + manifest.wire.size;
          return [at, inWire ? damaged : unchanged];
        }),
      );
      const reasons = new Set(result.loads.map(({ detail }) => detail));
      expect(reasons).toEqual(
        new Set([
          code.engine,
          'it is not an ELF file',
          'the file belongs to another build',
          'its checksum is wrong',
        ]),
      );
    });
  });

  describe('with another file in its place', () => {
    it.each([
      ['another ELF file', () => readFileSync('/bin/true'), /the file belongs to another build/],
      ['text', () => Buffer.from('module not found\n'.repeat(20_000)), /it is not an ELF file/],
      ['plain wasm', () => Buffer.from(sample()), /it is not an ELF file/],
      ['zeros', () => Buffer.alloc(output.bytes.length), /it is not an ELF file/],
      ['an empty file', () => Buffer.alloc(0), /it is not an ELF file/],
    ])('throws an error for %s', async (_, contents, reason) => {
      await expectError(reason, { artifact: writeFile(output, contents()) });
    });

    it('throws an error for the artifact of another module in another build', async () => {
      // All sizes are the same: only the build id and the checksums differ.
      expect(other.manifest.wire.size).toBe(output.manifest.wire.size);
      expect(other.bytes).toHaveLength(output.bytes.length);
      await expectError(/the file belongs to another build/, { artifact: other.artifact });
    });

    it('compiles for the artifact of the same module in another build', async () => {
      const rebuilt = await build(path.join(folder, `rebuilt-${version}`), SAMPLE, [await ensureNode('26')]);
      await expectFallback(/the file belongs to another build/, { artifact: rebuilt.artifact });
    });
  });

  describe('without a check', () => {
    it("computes wrong results: the native code's checksum", async () => {
      const { offset, size } = onlySegment(output);
      const bytes = alterBytes(output, (altered) => {
        const at = altered.subarray(offset, offset + size).indexOf(IMMEDIATE);
        expect(at).toBeGreaterThan(0);
        altered.writeUInt32LE(OTHER_CONSTANT, offset + at);
      });
      const artifact = writeFile(output, bytes);
      await expectFallback(/its checksum is wrong/, { artifact });
      const result = await start(LOAD + LOAD_SYNC, { artifact, options: { verify: false } });
      expect(result).toMatchObject({ end: 0, printed: [OTHER_RESULT, OTHER_RESULT], warnings: [] });
      expect(result.loads).toEqual(times(2, { ...precompiled(output), file: artifact }));
    });

    it("crashes the process: the native code's checksum", async () => {
      const { offset, size } = onlySegment(output);
      const bytes = alterBytes(output, (altered) => {
        // Write ud2 before the instruction that returns the result.
        const at = altered.subarray(offset, offset + size).indexOf(IMMEDIATE);
        altered.writeUInt16BE(0x0f0b, offset + at - 1);
      });
      const artifact = writeFile(output, bytes);
      await expectFallback(/its checksum is wrong/, { artifact });
      for (const script of [LOAD, LOAD_SYNC]) {
        const result = await start(script, { artifact, options: { verify: false } });
        expect(result).toMatchObject({ end: expect.stringMatching(/^SIG/), printed: [] });
      }
    });

    it("computes wrong results: the wire bytes' checksum", async () => {
      const { wire } = output.manifest;
      const [, ...differing] = [...otherSample().entries()].filter(([at, byte]) => byte !== sample()[at]);
      expect(differing).toEqual([]);
      const at = [...otherSample().entries()].findIndex(([index, byte]) => byte !== sample()[index]);
      const artifact = writeFile(
        output,
        alterBytes(output, (bytes) => bytes.writeUInt8(otherSample()[at] ?? 0, wire.offset + at)),
      );
      const manifest = { ...output.manifest, native: [] };
      const result = await start(LOAD + LOAD_SYNC, { artifact, manifest, options: { verify: false } });
      expect(result).toMatchObject({ end: 0, printed: [OTHER_RESULT, OTHER_RESULT] });
      const checked = await start(LOAD_ERROR, { artifact, manifest });
      expect(checked.printed).toEqual(
        times(2, { message: expect.stringContaining('its checksum is wrong') }),
      );
    });

    it('uses the native code of another module: the build id', async () => {
      const mixed = alterBytes(output, (bytes) => {
        const { offset, size } = onlySegment(other);
        other.bytes.copy(bytes, offset, offset, offset + size);
      });
      const artifact = writeFile(output, mixed);
      const result = await start(LOAD + LOAD_SYNC, {
        artifact,
        manifest: forgeManifest(output.manifest, mixed),
      });
      expect(result).toMatchObject({ end: 0, printed: [OTHER_RESULT, OTHER_RESULT], warnings: [] });
      expect(result.loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled']);
    });

    it('compiles, because V8 rejects native code with bytes after it: the size', async () => {
      const segment = onlySegment(output);
      for (const script of [LOAD, LOAD_SYNC]) {
        const manifest = forgeManifest(
          { ...output.manifest, native: [{ ...segment, size: segment.size + 1 }] },
          output.bytes,
        );
        const result = await start(script, { manifest });
        expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT] });
        expect(result.loads.map(({ how }) => how)).toEqual(['compiled']);
      }
    });

    it('may crash the process if native code is incomplete: the size', async () => {
      const { size } = onlySegment(output);
      const manifest = forgeManifest(
        { ...output.manifest, native: [{ ...onlySegment(output), size: size >> 1 }] },
        output.bytes,
      );
      // V8 reads beyond the end of the buffer. What is there differs from process to process.
      const ends = new Set<unknown>();
      for (let attempt = 0; attempt < 20 && ![...ends].some(isSignal); attempt++) {
        for (const script of [LOAD, LOAD_SYNC]) ends.add((await start(script, { manifest })).end);
      }
      expect([...ends].filter(isSignal)).not.toEqual([]);
    });
  });
});

function isSignal(end: unknown): boolean {
  return String(end).startsWith('SIG');
}
