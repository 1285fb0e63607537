/**
 * Damaged artifacts, on Node 26 with the native addon; test/runtime/damage.test.ts does the same without. The tests
 * "without the check" show what V8 would do with them.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactManifest, NativeEntry } from '../../src/runtime/shared/manifest.ts';
import { CONSTANT, OTHER_CONSTANT, otherSample, sample, SAMPLE_RESULT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import {
  createProgram,
  forgeMap,
  LOAD,
  NODE_26,
  outcomes,
  type Program,
  type Run,
  run,
  segmentFor,
  writeCopy,
} from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
const OTHER = path.join(folder, 'other.wasm');
writeFileSync(SAMPLE, sample());
writeFileSync(OTHER, otherSample());

const OTHER_RESULT = [OTHER_CONSTANT, ...SAMPLE_RESULT.slice(1)];

/** Distances between the bytes that are changed one at a time. */
const STRIDE_IN_NATIVE = 13;
const STRIDE_IN_WIRE = 5;

let program: Program;
let other: Program;
let code: NativeEntry;
beforeAll(async () => {
  program = await createProgram(path.join(folder, 'program'), SAMPLE, [NODE_26]);
  other = await createProgram(path.join(folder, 'other'), OTHER, [NODE_26]);
  code = segmentFor(program, '14.6');
});

const start = (script: string, options: Partial<Run> = {}) =>
  run(program, script, { node: NODE_26, ...options });

function alter(change: (bytes: Buffer) => void): Buffer {
  const altered = Buffer.from(program.bytes);
  change(altered);
  return altered;
}

const flip = (at: number, mask = 0x10) =>
  alter((bytes) => {
    bytes.writeUInt8(bytes.readUInt8(at) ^ mask, at);
  });

/** This program's artifact with the native code of the other module. */
const withForeignCode = () =>
  alter((bytes) => {
    const foreign = segmentFor(other, '14.6');
    expect(foreign.size).toBe(code.size);
    other.bytes.copy(bytes, code.offset, foreign.offset, foreign.offset + foreign.size);
  });

async function expectCompiled(reason: RegExp, options: Partial<Run>): Promise<void> {
  const result = await start(LOAD, options);
  expect(result, result.stderr).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT] });
  expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual(
    [1, 2].map(() => ['compiled', expect.stringMatching(reason)]),
  );
  expect(result.warnings).toEqual([expect.stringMatching(reason)]);
}

const LOAD_ERROR = `
await create().load().then(() => print('loaded'), ({ message, code }) => print({ message, code }));
try { create().loadSync(); print('loaded'); } catch ({ message, code }) { print({ message, code }); }`;

async function expectError(reason: RegExp, options: Partial<Run>): Promise<void> {
  const result = await start(LOAD_ERROR, options);
  const error = { message: expect.stringMatching(reason) };
  expect(result, result.stderr).toMatchObject({ end: 0, printed: [error, error], loads: [], warnings: [] });
  for (const { message } of result.printed as { message: string }[]) {
    expect(message).toContain(`${options.artifact ?? program.artifact}: `);
    expect(message).toMatch(/Deploy the complete build again\.$/);
  }
}

describe('native code', () => {
  it('is not used if it is of another module', async () => {
    const bytes = withForeignCode();
    await expectCompiled(/its checksum is wrong/, { artifact: writeCopy(program, bytes) });
    // A complete build of another module.
    await expectError(/the file belongs to another build/, { artifact: other.artifact });
  });

  it('computes the results of another module without the check', async () => {
    const bytes = withForeignCode();
    const result = await start(LOAD, {
      artifact: writeCopy(program, bytes),
      manifest: forgeMap(program.manifest, bytes),
    });
    expect(result).toMatchObject({ end: 0, printed: [OTHER_RESULT, OTHER_RESULT] });
    expect(outcomes(result)).toEqual(['precompiled mapped', 'precompiled mapped']);
  });

  it('kills the process or is rejected if it is truncated, without the check', async () => {
    const bytes = Buffer.from(program.bytes);
    // V8 reads beyond the end.
    for (const size of [code.size - 1, code.size >> 1, 64]) {
      const manifest = forgeMap(program.manifest, bytes, { size });
      const { end, printed } = await start('print(use(create().loadSync()));', { manifest });
      expect(
        typeof end === 'string' || end !== 0 || JSON.stringify(printed) === JSON.stringify([SAMPLE_RESULT]),
      ).toBe(true);
    }
  });

  it('is not used with a flipped byte', async () => {
    for (const at of [0, 12, 16, code.size >> 1, code.size - 1]) {
      await expectCompiled(/its checksum is wrong/, { artifact: writeCopy(program, flip(code.offset + at)) });
    }
  });

  it('computes wrong results with a flipped byte, without the check', async () => {
    const immediate = Buffer.alloc(4);
    immediate.writeUInt32LE(CONSTANT);
    const at = program.bytes.indexOf(immediate, code.offset);
    expect(at).toBeGreaterThan(code.offset);
    const artifact = writeCopy(program, flip(at, 1));
    const result = await start(LOAD, { artifact, options: { verify: false } });
    const wrong = [CONSTANT ^ 1, ...SAMPLE_RESULT.slice(1)];
    expect(result).toMatchObject({ end: 0, printed: [wrong, wrong] });
  });

  it('may kill the process with a flipped byte, without the check', async () => {
    const ends = new Set<string | number>();
    for (let at = code.offset + 20; at < code.offset + code.size && !ends.has('SIGSEGV'); at += 7) {
      const artifact = writeCopy(program, flip(at, 0xff));
      ends.add(
        (await start('print(use(create().loadSync()));', { artifact, options: { verify: false } })).end,
      );
    }
    expect(ends).toContain('SIGSEGV');
  });

  it('is not used with bytes after its end', async () => {
    const manifest: ArtifactManifest = { ...program.manifest, native: [{ ...code, size: code.size + 16 }] };
    await expectCompiled(/its checksum is wrong/, { manifest });
  });

  it('kills the process with bytes after its end, without the check', async () => {
    const manifest = forgeMap(program.manifest, program.bytes, { size: code.size + 16 });
    for (const options of [
      { manifest },
      { manifest: { ...program.manifest, native: manifest.native }, options: { verify: false } },
    ]) {
      const { end, printed } = await start('print(use(create().loadSync()));', options);
      expect(end).toMatch(/SIG(TRAP|ABRT|ILL|SEGV)/);
      expect(printed).toEqual([]);
    }
  });

  it('is not used with other V8 flags, and a warning names the flag', async () => {
    for (const flag of ['--single-threaded', '--wasm-tiering-budget=5']) {
      await expectCompiled(new RegExp(`V8 flag ${flag} may change generated code`), { args: [flag] });
    }
  });

  it('is rejected by V8 if another V8 made it', async () => {
    const bytes = flip(code.offset + 4, 0x01);
    await expectCompiled(/V8 does not accept it/, {
      artifact: writeCopy(program, bytes),
      manifest: forgeMap(program.manifest, bytes),
    });
  });
});

describe('a file', () => {
  it('is compiled if it is truncated after the wire bytes', async () => {
    const wireEnd = program.manifest.wire.offset + program.manifest.wire.size;
    const { size } = program.manifest;
    for (const length of [
      size - 1,
      code.offset + code.size - 1,
      code.offset + 1,
      code.offset,
      wireEnd + 1,
      wireEnd,
    ]) {
      await expectCompiled(new RegExp(`the file has ${length} bytes instead of ${size}`), {
        artifact: writeCopy(program, program.bytes.subarray(0, length)),
      });
    }
  });

  it('is an error if it is truncated before the end of the wire bytes', async () => {
    const { wire, buildIdOffset } = program.manifest;
    for (const length of [
      wire.offset + wire.size - 1,
      wire.offset + 1,
      wire.offset,
      4096,
      buildIdOffset + 20,
    ]) {
      await expectError(/damaged or missing: the file has \d+ bytes instead of/, {
        artifact: writeCopy(program, program.bytes.subarray(0, length)),
      });
    }
    for (const length of [buildIdOffset + 19, 4, 3, 0]) {
      await expectError(/damaged or missing: it is not an ELF file/, {
        artifact: writeCopy(program, program.bytes.subarray(0, length)),
      });
    }
  });

  it('is compiled with bytes after its end', async () => {
    for (const extra of [1, 65536]) {
      await expectCompiled(/the file has \d+ bytes instead of/, {
        artifact: writeCopy(program, Buffer.concat([program.bytes, Buffer.alloc(extra)])),
      });
    }
  });

  it('is an error if it is missing or a folder', async () => {
    await expectError(/cannot read this artifact: .*No such file/, {
      artifact: path.join(folder, 'no-such.elf'),
    });
    await expectError(/damaged or missing|cannot read this artifact/, { artifact: folder });
    const { printed } = await start(LOAD_ERROR, { artifact: path.join(folder, 'no-such.elf') });
    expect(printed).toMatchObject([{ code: 'ENOENT' }, { code: 'ENOENT' }]);
  });

  it('is an error or compiled if the manifest points beyond its end', async () => {
    const { manifest } = program;
    const far = 2 ** 40;
    await expectError(/damaged or missing/, {
      manifest: { ...manifest, wire: { ...manifest.wire, offset: far } },
    });
    await expectError(/damaged or missing/, {
      manifest: { ...manifest, wire: { ...manifest.wire, size: far } },
    });
    await expectCompiled(/its checksum is wrong/, {
      manifest: { ...manifest, native: [{ ...code, offset: far }] },
    });
    await expectCompiled(/its checksum is wrong/, {
      manifest: { ...manifest, native: [{ ...code, size: far }] },
    });
    await expectCompiled(/its checksum is wrong/, {
      manifest: { ...manifest, native: [{ ...code, size: 0 }] },
    });
  });

  it('computes right results or is an error with any one byte changed', async () => {
    const { manifest, bytes } = program;
    const offsets = [...Array(manifest.buildIdOffset + 20).keys()];
    for (let at = manifest.wire.offset; at < manifest.wire.offset + manifest.wire.size; at += STRIDE_IN_WIRE)
      offsets.push(at);
    for (let at = code.offset; at < code.offset + code.size; at += STRIDE_IN_NATIVE) offsets.push(at);
    for (let at = code.offset + code.size; at < bytes.length; at += 211) offsets.push(at);
    const { end, printed, stderr } = await start(`
const bytes = fs.readFileSync(file);
const altered = new URL('altered-anywhere.elf', import.meta.url);
const outcomes = {};
for (const [index, at] of ${JSON.stringify(offsets)}.entries()) {
  bytes[at] ^= 1 << index % 8;
  fs.writeFileSync(altered, bytes);
  bytes[at] ^= 1 << index % 8;
  const handle = fromArtifact(altered.href, manifest, { ...options, fallback: 'silent' }, addons);
  let outcome;
  try {
    const result = JSON.stringify(use(index % 2 ? handle.loadSync() : await handle.load()));
    outcome = result === ${JSON.stringify(JSON.stringify(SAMPLE_RESULT))} ? 'right' : 'wrong at ' + at;
  } catch ({ message }) {
    outcome = /its wasm module is damaged or missing: its checksum is wrong\\. Deploy/.test(message) ? 'error' : message;
  }
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
}
print(outcomes);`);
    expect(end, stderr).toBe(0);
    const inWire = offsets.filter(
      (at) => at >= manifest.wire.offset && at < manifest.wire.offset + manifest.wire.size,
    ).length;
    expect(printed).toEqual([{ right: offsets.length - inWire, error: inWire }]);
    expect(inWire).toBeGreaterThan(50);
  });
});
