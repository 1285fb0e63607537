/**
 * Mapped files. A write to a mapping stays in the process. A file cannot change while it is loaded, and may change
 * afterwards. If writers cannot be held off, the file is read.
 */
import { spawn } from 'node:child_process';
import { chownSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { otherSample, SAMPLE_RESULT } from '../v8/modules.ts';
import { temporaryFolder } from '../v8/support.ts';
import { IS_ROOT } from '../support/tools.ts';
import { bulkySample } from './modules.ts';
import {
  createProgram,
  LOAD,
  NOBODY,
  NODES,
  outcomes,
  type Program,
  type Result,
  run,
  runCommand,
  shareNode,
  writeCopy,
  writeScript,
} from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
const OTHER = path.join(folder, 'other.wasm');
writeFileSync(SAMPLE, bulkySample());
writeFileSync(OTHER, otherSample());

const TWICE = [SAMPLE_RESULT, SAMPLE_RESULT];

let program: Program;
let other: Program;
beforeAll(async () => {
  program = await createProgram(path.join(folder, 'program'), SAMPLE);
  other = await createProgram(path.join(folder, 'other'), OTHER);
});

/** For scripts: counts mappings and descriptors of the artifact in this process. */
const LEFT_BEHIND = `
const leftBehind = () => ({
  maps: fs.readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.includes(file)).length,
  descriptors: fs.readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return fs.readlinkSync('/proc/self/fd/' + fd).includes(file);
    } catch {
      return false;
    }
  }).length,
});`;

/** For scripts: opens the artifact for writing, if that does not block. */
const TRY_TO_WRITE = `
const tryToWrite = () => {
  try {
    fs.closeSync(fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK));
    return 'open';
  } catch ({ code }) {
    return code;
  }
};`;

/** For scripts: maps the artifact synchronously and asynchronously. */
const MAP_BOTH = `
const feed = Number.parseFloat(process.versions.v8) < 14 ? -1 : 1;
const mapBoth = async () => [addon.map(file, fileRanges)(), await addon.mapAsync(file, fileRanges, feed)];`;

describe.each(NODES)('in Node $version', ({ version, node: installed }) => {
  const node = shareNode(folder, installed);
  const start = (script: string, options = {}) => run(program, script, { node, ...options });

  it('keeps writes to a segment from the file and from other mappings', async () => {
    const result = await start(`${MAP_BOTH}
const before = fs.readFileSync(file);
const isUnchanged = ({ segments }) => segments.every((segment, index) =>
  Buffer.from(segment).equals(before.subarray(fileRanges[index].offset, fileRanges[index].offset + fileRanges[index].size)));
for (const contents of await mapBoth()) {
  print([contents.mapped, contents.size === before.length, isUnchanged(contents)]);
  for (const segment of contents.segments) new Uint8Array(segment).fill(0xaa);
  const again = addon.map(file, fileRanges)();
  print([isUnchanged(contents), isUnchanged(again), fs.readFileSync(file).equals(before)]);
  addon.release(contents);
  print([isUnchanged(again), contents.segments.map(({ byteLength }) => byteLength)]);
  addon.release(again);
}
print(use(await create().load()));`);
    const once = [
      [true, true, true],
      [false, true, true],
      [true, [0, 0, 0]],
    ];
    expect(result).toMatchObject({ end: 0, printed: [...once, ...once, SAMPLE_RESULT] });
  });

  it('detaches released segments, and ignores further releases', async () => {
    const result = await start(`${MAP_BOTH}
for (const contents of await mapBoth()) {
  const views = contents.segments.map((segment) => new Uint8Array(segment));
  for (let times = 0; times < 3; times++) addon.release(contents);
  print(contents.segments.map(({ byteLength }) => byteLength));
  print(views.map((view) => [view.length, view[0] ?? null]));
  for (const view of views) view[0] = 1;
}`);
    const released = [
      [0, 0, 0],
      [
        [0, null],
        [0, null],
        [0, null],
      ],
    ];
    expect(result).toMatchObject({ end: 0, printed: [...released, ...released] });
  });

  it('returns checksums from both ways to map', async () => {
    const result = await start(`${MAP_BOTH}
for (const { crcs } of await mapBoth()) print(crcs.slice(1).every((crc, index) => crc === fileRanges[index + 1].crc32));`);
    expect(result.printed).toEqual([true, true]);
  });

  it('keeps the file neither mapped nor open after a load', async () => {
    const result = await start(`${LEFT_BEHIND}
print(leftBehind());
const module = create().loadSync();
print(leftBehind());
const other = await create().load();
print(leftBehind());
print(use(module));
print(use(other));
print(leftBehind());
// For comparison, while a file is mapped.
addon.map(file, fileRanges)();
print(leftBehind());`);
    const nothing = { maps: 0, descriptors: 0 };
    expect(result).toMatchObject({
      end: 0,
      printed: [
        nothing,
        nothing,
        nothing,
        SAMPLE_RESULT,
        SAMPLE_RESULT,
        nothing,
        { maps: 3, descriptors: 1 },
      ],
    });
    expect(outcomes(result)).toEqual(['precompiled mapped', 'precompiled mapped']);
  });

  it('keeps an unusable file neither mapped nor open', async () => {
    for (const artifact of [
      writeCopy(program, program.bytes.subarray(0, program.manifest.wire.offset + 100)),
      writeCopy(program, program.bytes.subarray(0, 10)),
      writeCopy(program, Buffer.alloc(0)),
      writeCopy(
        program,
        program.bytes.map((byte) => byte ^ 1),
      ),
    ]) {
      const result = await start(
        `${LEFT_BEHIND}
const problem = ({ message }) => message.includes(file + ': its wasm module is damaged or missing');
try { create().loadSync(); } catch (error) { print(problem(error)); }
await create().load().catch((error) => print(problem(error)));
print(leftBehind());`,
        { artifact },
      );
      expect(result).toMatchObject({ end: 0, printed: [true, true, { maps: 0, descriptors: 0 }], loads: [] });
    }
  });

  it('blocks writers while the file is mapped, and no longer', async () => {
    const artifact = writeCopy(program, program.bytes);
    const result = await start(
      `${MAP_BOTH}${TRY_TO_WRITE}
print(tryToWrite());
for (const contents of await mapBoth()) {
  print(tryToWrite());
  addon.release(contents);
}
print(tryToWrite());
print(use(await create().load()));
print(tryToWrite());`,
      { artifact },
    );
    expect(result).toMatchObject({
      end: 0,
      printed: ['open', 'EAGAIN', 'EAGAIN', 'open', SAMPLE_RESULT, 'open'],
    });
  });

  it('reads a file that is open for writing', async () => {
    const artifact = writeCopy(program, program.bytes);
    const descriptor = openSync(artifact, 'r+');
    try {
      const result = await start(LOAD, { artifact });
      expect(result).toMatchObject({ end: 0, printed: TWICE, warnings: [] });
      expect(outcomes(result)).toEqual(['precompiled read', 'precompiled read']);
    } finally {
      closeSync(descriptor);
    }
    expect(outcomes(await start(LOAD, { artifact }))).toEqual(['precompiled mapped', 'precompiled mapped']);
  });

  it.runIf(IS_ROOT)("reads another user's file, and maps its own", async () => {
    const foreign = await start(LOAD, { uid: NOBODY });
    expect(foreign).toMatchObject({ end: 0, printed: TWICE, warnings: [] });
    expect(outcomes(foreign)).toEqual(['precompiled read', 'precompiled read']);

    const artifact = writeCopy(program, program.bytes);
    chownSync(artifact, NOBODY, NOBODY);
    const own = await start(LOAD, { artifact, uid: NOBODY });
    expect(own).toMatchObject({ end: 0, printed: TWICE, warnings: [] });
    expect(outcomes(own)).toEqual(['precompiled mapped', 'precompiled mapped']);
  });

  it.runIf(IS_ROOT)('reads the file after the process has changed its user', async () => {
    const result = await start(`
print(use(create().loadSync()));
process.setgid(${NOBODY});
process.setuid(${NOBODY});
print(use(await create().load()));`);
    expect(result).toMatchObject({ end: 0, printed: TWICE, warnings: [] });
    expect(outcomes(result)).toEqual(['precompiled mapped', 'precompiled read']);
  });

  it('allows replacing the file by renaming during and after a load', async () => {
    const artifact = writeCopy(program, program.bytes);
    const result = await start(
      `
const others = [${JSON.stringify(other.artifact)}, ${JSON.stringify(program.artifact)}];
const replace = (index) => {
  fs.copyFileSync(others[index % 2], file + '.new');
  fs.renameSync(file + '.new', file);
};
let right = 0, foreign = 0;
for (let index = 0; index < 200; index++) {
  const loading = index % 3 ? create().load() : undefined;
  // It may reject before it is awaited below.
  loading?.catch(() => {});
  if (index % 3 === 1) await new Promise(setImmediate);
  // The other thread opens the file before or after: either the complete old one or the complete new one.
  if (loading) replace(index);
  try {
    const module = await (loading ?? create().loadSync());
    if (!loading) replace(index);
    if (JSON.stringify(use(module)) === ${JSON.stringify(JSON.stringify(SAMPLE_RESULT))}) right++;
  } catch ({ message }) {
    if (message.includes('the file belongs to another build')) foreign++;
    else throw new Error(message);
  }
}
print([right > 0, foreign > 0, right + foreign]);`,
      { artifact },
    );
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [[true, true, 200]] });
  });

  it('allows truncating, overwriting and deleting the file after a load', async () => {
    const artifact = writeCopy(program, program.bytes);
    const result = await start(
      `
const now = create().loadSync();
const later = await create().load();
fs.truncateSync(file, 1);
fs.writeFileSync(file, Buffer.alloc(manifest.size, 0xcc));
fs.truncateSync(file, 0);
print(use(now));
fs.unlinkSync(file);
print(use(later));
print(WebAssembly.Module.exports(later).length);`,
      { artifact },
    );
    expect(result).toMatchObject({ end: 0, printed: [...TWICE, expect.any(Number)] });
    expect(outcomes(result)).toEqual(['precompiled mapped', 'precompiled mapped']);
  });

  it.each([
    { user: 'its owner', uid: undefined },
    ...(IS_ROOT ? [{ user: 'another user, which reads it', uid: NOBODY }] : []),
  ])('survives a file that is truncated and rewritten all the time, as $user', async ({ uid }) => {
    const artifact = writeCopy(program, program.bytes);
    const script = `
for (let index = 0; index < 8; index++) {
  try {
    const module = index % 2 ? create({ fallback: 'silent' }).loadSync() : await create({ fallback: 'silent' }).load();
    print(use(module));
  } catch ({ message }) {
    print(message);
  }
}`;
    const writer = startWriter(artifact);
    const results: Result[] = [];
    try {
      const runs = async () => {
        while (results.length < 24 || writer.rounds() < 300) {
          results.push(await start(script, { artifact, ...(uid !== undefined && { uid }) }));
        }
      };
      await Promise.all([runs(), runs()]);
    } finally {
      await writer.stop();
    }
    const failed = new RegExp(
      `^${artifact}: (its wasm module is damaged or missing: .+|cannot read this artifact: .+)\\. Deploy the complete build again\\.$`,
    );
    for (const { end, printed, stderr } of results) {
      expect(end, stderr).toBe(0);
      expect(printed).toHaveLength(8);
      for (const value of printed) {
        if (typeof value === 'string') expect(value).toMatch(failed);
        else expect(value).toEqual(SAMPLE_RESULT);
      }
    }
    expect(results.flatMap(({ printed }) => printed)).toContainEqual(SAMPLE_RESULT);
  });

  describe.runIf(IS_ROOT)('in a folder that is mounted read-only', () => {
    it('maps the file for its owner and reads it for others', async () => {
      const script = writeScript(
        program,
        `try { fs.writeFileSync(file, ''); } catch ({ code }) { print(code); }\n${LOAD}`,
      );
      const readOnly = (...command: string[]) =>
        runCommand('unshare', [
          '--map-root-user',
          '--mount',
          'sh',
          '-c',
          MOUNT_READ_ONLY,
          'sh',
          program.folder,
          ...command,
        ]);
      const own = await readOnly(node, script);
      expect(own).toMatchObject({ end: 0, printed: ['EROFS', ...TWICE], warnings: [] });
      expect(outcomes(own)).toEqual(['precompiled mapped', 'precompiled mapped']);

      const foreign = await runCommand('unshare', [
        '--mount',
        'sh',
        '-c',
        MOUNT_READ_ONLY,
        'sh',
        program.folder,
        'setpriv',
        `--reuid=${NOBODY}`,
        `--regid=${NOBODY}`,
        '--clear-groups',
        node,
        script,
      ]);
      expect(foreign).toMatchObject({ end: 0, printed: [expect.stringMatching(/EROFS|EACCES/), ...TWICE] });
      expect(outcomes(foreign)).toEqual(['precompiled read', 'precompiled read']);
    });

    it('survives the truncation of the file through another mount', async () => {
      const artifact = path.join(folder, `foreign-${version}`, 'foreign.elf');
      mkdirSync(path.dirname(artifact));
      writeFileSync(artifact, program.bytes);
      const script = writeScript(
        program,
        `
const contents = addon.map(file, fileRanges)();
print(contents.mapped);
// Through the mount namespace of a process outside, in which the folder is writable.
fs.truncateSync('/proc/' + process.env.OUTSIDE + '/root' + file, 1);
print(fs.statSync(file).size);
print(new Uint8Array(contents.segments[2]).some((byte) => byte !== 0));`,
        { artifact },
      );
      // Root without CAP_LEASE may truncate the file of another user, but gets no lease on it.
      chownSync(artifact, NOBODY, NOBODY);
      const { end, printed, stderr } = await runCommand(
        'unshare',
        [
          '--mount',
          'sh',
          '-c',
          MOUNT_READ_ONLY,
          'sh',
          path.dirname(artifact),
          'setpriv',
          '--bounding-set=-lease',
          '--inh-caps=-lease',
          node,
          script,
        ],
        { env: { OUTSIDE: String(process.pid) } },
      );
      expect({ end, printed }, stderr).toEqual({ end: 0, printed: [false, 1, true] });
    });
  });
});

/** Mounts the folder $1 read-only over itself and runs the rest. */
const MOUNT_READ_ONLY =
  'folder=$1; shift; mount --bind "$folder" "$folder" && mount -o remount,ro,bind "$folder" && exec "$@"';

describe('without a lease', () => {
  it('kills a process that has mapped a file when the file is truncated', async () => {
    const artifact = writeCopy(program, program.bytes);
    const { end } = await runCommand('python3', [
      '-c',
      `import mmap, os, sys
with open(sys.argv[1], 'rb') as file:
    view = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    os.truncate(sys.argv[1], 1)
    view[len(view) - 1]`,
      artifact,
    ]);
    expect(end).toBe('SIGBUS');
  });

  it('changes the bytes that a process has mapped when the file is written to', async () => {
    const artifact = writeCopy(program, program.bytes);
    const { printed } = await runCommand('python3', [
      '-c',
      `import mmap, sys
with open(sys.argv[1], 'rb') as file:
    view = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    before = view[-1]
    with open(sys.argv[1], 'r+b') as writer:
        writer.seek(-1, 2)
        writer.write(bytes([before ^ 255]))
    print('true' if view[-1] == before else 'false')`,
      artifact,
    ]);
    expect(printed).toEqual([false]);
  });
});

/** Starts a process that truncates, overwrites and restores a file again and again. */
function startWriter(file: string) {
  const script = `
const fs = require('node:fs');
const [file] = process.argv.slice(1);
const bytes = fs.readFileSync(file);
const restore = () => fs.writeFileSync(file, bytes);
process.stdin.on('end', () => { restore(); process.exit(); }).resume();
let round = 0;
(function next() {
  fs.truncateSync(file, (round * 4099) % bytes.length);
  restore();
  fs.writeFileSync(file, Buffer.alloc(bytes.length, round));
  restore();
  fs.writeSync(1, '.');
  round++;
  setTimeout(next, round % 3);
})();`;
  const child = spawn(process.execPath, ['-e', script, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  let rounds = 0;
  child.stdout.on('data', (data: Buffer) => {
    rounds += data.length;
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    rounds: () => rounds,
    async stop() {
      child.stdin.end();
      await ended;
      expect(readFileSync(file).equals(program.bytes)).toBe(true);
    },
  };
}
