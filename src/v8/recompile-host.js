// @ts-check
/**
 * Makes native code in the background for the runtime (src/runtime/node/recompile/recompile.ts), which has started it and does not wait: in a
 * process of its own, with low priority, whether or not that program still runs. Plain JavaScript like compile-host.js,
 * since it ships beside the artifacts. The argument is the job in JSON.
 *
 * Everything happens in a folder of its own within the cache folder. A file gets its name only when it is whole, and when
 * a second, fresh process has accepted the native code. What fails leaves its reason in the lock.
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

/** `wph1`; the runtime (heal-folder.ts) knows the rest of the header, too. */
const MAGIC = 0x31687077;

/** Milliseconds for each of the two processes. */
const TIME_LIMIT = 300_000;

/** Milliseconds after which locks and work that were left behind go. */
const LEFTOVER_LIFE = 24 * 60 * 60_000;

const lock = join(job.folder, `${job.id}.lock`);
const work = join(job.folder, `${job.id}-${process.pid}.work`);

/** A lower one than any program has that waits for something. */
const LOWEST_PRIORITY = 19;

try {
  setPriority(LOWEST_PRIORITY);
} catch {
  // Then with the priority of the program.
}
try {
  heal();
  rmSync(lock, { force: true });
} catch (error) {
  try {
    writeFileSync(lock, error instanceof Error ? error.message : String(error));
  } catch {
    // The disk is full, for instance. The lock is left behind, and runs out.
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

function heal() {
  if (process.versions.v8 !== job.v8) throw new Error(`${process.execPath} is another Node by now`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { mode: 0o700 });
  const wire = readWire();
  const known = v8Flags();
  const flags = job.flags.filter((flag) => known.has(nameOf(flag)) || known.has(nameOf(flag, true)));
  const { json: compiled, bytes: native } = runCompiler(flags, 'compile', wire);
  if (compiled.flagHash !== job.flagHash) {
    throw new Error('the flags of the program are not those of its command line');
  }
  // The compiler has set some flags, which are not the program's.
  native.writeUInt32LE(job.flagHash, 12);
  const question = Buffer.from(JSON.stringify({ wireSize: wire.length }));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(question.length);
  const { json } = runCompiler(flags, 'check', Buffer.concat([size, question, wire, native]));
  if (json['accepted'] !== true) throw new Error('V8 does not accept its own native code');
  if (native.length > job.maxSize) throw new Error(`it would take ${native.length} bytes`);
  const features = native.readUInt32LE(8).toString(16).padStart(8, '0');
  const name = `${job.id}-${features}.native`;
  const header = Buffer.alloc(8);
  header.writeUInt32LE(MAGIC);
  header.writeUInt32LE(crc32(native, crc32(name)), 4);
  const file = join(work, 'native');
  writeFileSync(file, Buffer.concat([header, native]), { mode: 0o600 });
  renameSync(file, join(job.folder, name));
  prune(name);
}

/** The module, from the artifact. */
function readWire() {
  const fd = openSync(job.artifact, 'r');
  try {
    const [first = Buffer.alloc(0), ...parts] = job.wire.map(({ offset, size, crc32: expected }) => {
      const bytes = Buffer.alloc(size);
      if (readSync(fd, bytes, 0, size, offset) === size && crc32(bytes) === expected) return bytes;
      throw new Error(`${job.artifact} has changed`);
    });
    return parts.length > 0 ? joinParts(parts, first) : first;
  } finally {
    closeSync(fd);
  }
}

/**
 * What src/runtime/shared/reassembly-plan.ts does.
 *
 * @param {Buffer[]} parts
 * @param {Buffer} recipe
 */
function joinParts(parts, recipe) {
  const steps = recipe.readUInt32LE(0);
  const sources = [...parts, recipe.subarray(4 + steps * 12)];
  const pieces = Array.from({ length: steps }, (_, step) => {
    const [part = 0, offset = 0, size = 0] = [4, 8, 12].map((at) => recipe.readUInt32LE(at + step * 12));
    return sources[part]?.subarray(offset, offset + size) ?? Buffer.alloc(0);
  });
  return Buffer.concat(pieces);
}

/**
 * Names of V8's own flags. Only these are passed on: those of Node itself (`--import`, `--inspect`, `--test` …) do not
 * change native code, and would run what is not wanted here.
 */
function v8Flags() {
  const { stdout } = spawnSync(process.execPath, ['--v8-options'], { maxBuffer: 1 << 26, encoding: 'utf8' });
  const names = [...stdout.matchAll(/^ +--([\w-]+) \(/gm)].map(([, name = '']) => name.replaceAll('_', '-'));
  return new Set(names.filter((name) => name !== 'help'));
}

/**
 * @param {string} flag as on a command line
 * @param {boolean} [negated] whether it begins with `no`
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
  // Not through its standard output, where flags of V8 may make it print.
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
 * Keeps the folder within its bound: what was not used for longest goes first.
 *
 * @param {string} made stays in any case
 */
function prune(made) {
  const files = readdirSync(job.folder)
    .filter((name) => /^v8-.*\.(native|lock|work)$/.test(name))
    .flatMap((name) => {
      const stats = statSync(join(job.folder, name), { throwIfNoEntry: false });
      return stats ? [{ name, size: stats.size, used: stats.mtimeMs }] : [];
    })
    .toSorted((one, other) => other.used - one.used);
  let total = files.find(({ name }) => name === made)?.size ?? 0;
  for (const { name, size, used } of files) {
    if (name === made) continue;
    const healed = name.endsWith('.native');
    if (healed) total += size;
    if (healed ? total > job.maxSize : Date.now() - used > LEFTOVER_LIFE) {
      rmSync(join(job.folder, name), { recursive: true, force: true });
      if (healed) total -= size;
    }
  }
}
