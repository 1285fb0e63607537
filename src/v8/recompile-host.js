// @ts-check
/**
 * Compiles a module on the device for the runtime (src/runtime/node/recompile/recompile.ts), which starts this process
 * and does not wait for it. It runs in the background with low priority, and may outlive the program. Plain JavaScript
 * in a single file like compile-host.js, since builds copy it beside artifacts. The argument is the job in JSON.
 *
 * It works in a folder of its own within the cache folder. A file gets its final name only when it is complete and a
 * second, fresh process has accepted the native code. After a failure, the lock file contains the reason.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/** @type {import('../runtime/node/recompile/recompile.ts').RecompileJob} */
const job = JSON.parse(process.argv[2] ?? '');

/** `wph1`, the first word of a file. The runtime (recompile/folder.ts) reads the same format. */
const MAGIC = 0x31687077;

/** Time limit of each of the two processes, in milliseconds. */
const TIME_LIMIT = 300_000;

/** Age in milliseconds at which leftover locks and work folders are deleted. */
const LEFTOVER_LIFE = 24 * 60 * 60_000;

/** Offsets in the header of native code, as in src/runtime/shared/v8-header.ts (u32 each). */
const CPU_FEATURES_OFFSET = 8;
const FLAG_HASH_OFFSET = 12;

const lock = join(job.folder, `${job.id}.lock`);
const work = join(job.folder, `${job.id}-${process.pid}.work`);

/** The lowest priority, so that no other program is slowed down. */
const LOWEST_PRIORITY = 19;

try {
  setPriority(LOWEST_PRIORITY);
} catch {
  // Not permitted: runs with the priority of the program.
}
try {
  recompile();
  rmSync(lock, { force: true });
} catch (error) {
  try {
    writeFileSync(lock, error instanceof Error ? error.message : String(error));
  } catch {
    // The disk is full, for instance. The lock stays behind and expires.
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

function recompile() {
  if (process.versions.v8 !== job.v8)
    throw new Error(`${process.execPath} has become another version of Node`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { mode: 0o700 });
  const wire = readWire();
  const known = v8Flags();
  const flags = job.flags.filter((flag) => known.has(nameOf(flag)) || known.has(nameOf(flag, true)));
  const { json: compiled, bytes: native } = runCompiler(flags, 'compile', wire);
  if (compiled.flagHash !== job.flagHash) {
    throw new Error('the flags of the program are not those of its command line');
  }
  // Compiling has set flags that the program does not have.
  native.writeUInt32LE(job.flagHash, FLAG_HASH_OFFSET);
  const question = Buffer.from(JSON.stringify({ wireSize: wire.length }));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(question.length);
  const { json } = runCompiler(flags, 'check', Buffer.concat([size, question, wire, native]));
  if (json['accepted'] !== true) throw new Error('V8 does not accept its own native code');
  if (native.length > job.maxSize) throw new Error(`it would take ${native.length} bytes`);
  const features = native.readUInt32LE(CPU_FEATURES_OFFSET).toString(16).padStart(8, '0');
  const name = `${job.id}-${features}.native`;
  const header = Buffer.alloc(8);
  header.writeUInt32LE(MAGIC);
  header.writeUInt32LE(crc32(native, crc32(name)), 4);
  const file = join(work, 'native');
  writeFileSync(file, Buffer.concat([header, native]), { mode: 0o600 });
  renameSync(file, join(job.folder, name));
  prune(name);
}

/** Reads the wire bytes from the artifact. */
function readWire() {
  const fd = openSync(job.artifact, 'r');
  try {
    const [first = Buffer.alloc(0), ...modules] = job.wire.map(({ offset, size, crc32: expected }) => {
      const bytes = Buffer.alloc(size);
      if (readSync(fd, bytes, 0, size, offset) === size && crc32(bytes) === expected) return bytes;
      throw new Error(`${job.artifact} has changed`);
    });
    return modules.length > 0 ? reassemble(first, modules) : first;
  } finally {
    closeSync(fd);
  }
}

/**
 * Reassembles a module from split modules, like src/runtime/shared/reassembly-plan.ts.
 *
 * @param {Buffer} plan
 * @param {Buffer[]} modules
 */
function reassemble(plan, modules) {
  const steps = plan.readUInt32LE(0);
  const sources = [...modules, plan.subarray(4 + steps * 12)];
  const ranges = Array.from({ length: steps }, (_, step) => {
    const [source = 0, offset = 0, size = 0] = [4, 8, 12].map((at) => plan.readUInt32LE(at + step * 12));
    return sources[source]?.subarray(offset, offset + size) ?? Buffer.alloc(0);
  });
  return Buffer.concat(ranges);
}

/**
 * Returns the names of V8's own flags. Only these are passed on. Node's flags (`--import`, `--inspect`, `--test` …) do
 * not change native code, and would run other code in this process.
 */
function v8Flags() {
  const { stdout } = spawnSync(process.execPath, ['--v8-options'], { maxBuffer: 1 << 26, encoding: 'utf8' });
  const names = [...stdout.matchAll(/^ +--([\w-]+) \(/gm)].map(([, name = '']) => name.replaceAll('_', '-'));
  return new Set(names.filter((name) => name !== 'help'));
}

/**
 * Returns the name of a flag; empty if it is not a flag.
 *
 * @param {string} flag as on a command line
 * @param {boolean} [negated] whether to remove the prefix `no`
 */
function nameOf(flag, negated = false) {
  const [name = ''] = flag.split('=', 1);
  if (!name.startsWith('--')) return '';
  return name.replace(negated ? /^--no[-_]?/ : '--', '').replaceAll('_', '-');
}

/**
 * Runs compile-host.js with the program's V8 flags.
 *
 * @param {string[]} flags
 * @param {string} command
 * @param {Uint8Array} input
 */
function runCompiler(flags, command, input) {
  // Not through its standard output, since some flags of V8 print to it.
  const { output, status, signal, error } = spawnSync(
    process.execPath,
    [...flags, job.compiler, command, job.addon ?? '', '3'],
    {
      cwd: work,
      input,
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
      maxBuffer: Infinity,
      timeout: TIME_LIMIT,
      killSignal: 'SIGKILL',
    },
  );
  const answer = /** @type {Buffer | null | undefined} */ (/** @type {unknown} */ (output?.[3]));
  if (error || status !== 0 || !answer || answer.length < 4) {
    throw error ?? new Error(`the compiling process ended with ${signal ?? status}`);
  }
  const end = 4 + answer.readUInt32LE(0);
  const json = JSON.parse(answer.toString('utf8', 4, end));
  if (json.error) throw new Error(json.error.message);
  return { json, bytes: answer.subarray(end) };
}

/**
 * Keeps the folder within its size limit. Deletes the files that were not used for longest.
 *
 * @param {string} created the name of a file to keep in any case
 */
function prune(created) {
  const files = readdirSync(job.folder)
    .filter((name) => /^v8-.*\.(native|lock|work)$/.test(name))
    .flatMap((name) => {
      const stats = statSync(join(job.folder, name), { throwIfNoEntry: false });
      return stats ? [{ name, size: stats.size, used: stats.mtimeMs }] : [];
    })
    .toSorted((one, other) => other.used - one.used);
  let total = files.find(({ name }) => name === created)?.size ?? 0;
  for (const { name, size, used } of files) {
    if (name === created) continue;
    const recompiled = name.endsWith('.native');
    if (recompiled) total += size;
    if (recompiled ? total > job.maxSize : Date.now() - used > LEFTOVER_LIFE) {
      rmSync(join(job.folder, name), { recursive: true, force: true });
      if (recompiled) total -= size;
    }
  }
}
