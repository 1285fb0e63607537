/**
 * On-device compilation: if no native code of an artifact can be used, an idle process has it compiled for processes
 * like itself, and the next one loads it. No load waits for the compilation. If it fails, the module is compiled at
 * startup as before.
 *
 *  - A separate process (v8/recompile-host.js), which outlives this one, makes the native code.
 *  - The native code is executed, so the runtime reads it only if no user but this one and root could have written
 *    it.
 *  - It is for one V8 with exactly the flags of this process. V8 compares the CPU features in its header.
 */
import { builtin, fileURLToPath } from '../builtin.ts';
import { type Addon, type Addons, loadAddon } from '../addon.ts';
import type { Recompile, Recompiled } from '../artifact.ts';
import { getCrc32 } from '../crc32.ts';
import { commandLine } from '../compatibility.ts';
import { isTrustedFolder } from '../trust.ts';
import { defaultFolder, makeFolder, readRecompiled } from './cache-folder.ts';
import { whenIdle } from './idle.ts';
import { fullPrimaryPlan } from '../../shared/reassembly-plan.ts';
import type { ArtifactManifest, SegmentEntry } from '../../shared/manifest.ts';
import { deserialize, HAS_NATIVES } from '../natives.ts';
import { getFlagHash } from '../natives-syntax.ts';
import { trapHandlerMissing } from '../trap-handler.ts';

const { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync } = builtin('node:fs');
const { basename, join } = builtin('node:path');
const { debuglog } = builtin('node:util');

export interface RecompileSetup {
  /** Absolute path of the cache folder. Default: `wasm-precompile` in the user's cache folder. */
  folder?: string | undefined;
  /** Milliseconds for which the event loop must have been idle; 0: start at its next turn. Default: 1000. */
  delay?: number;
  /** Bytes that the folder may hold. Default: 512 MiB. */
  maxSize?: number;
  /** File URL of recompile-host.js. */
  host: string;
  /** File URL of compile-host.js. */
  compiler: string;
}

/** The input of recompile-host.js. */
export interface RecompileJob {
  /** `process.versions.v8` of the requesting process: the executable may have been replaced since. */
  v8: string;
  flagHash: number;
  /** Flags of the command line and NODE_OPTIONS, including Node's own. */
  flags: string[];
  artifact: string;
  /** The wire bytes; or a reassembly plan for them, and the segments that it combines (reassembly-plan.ts). */
  wire: readonly SegmentEntry[];
  folder: string;
  /** Prefix of the names of files for this module and these flags. */
  id: string;
  compiler: string;
  addon: string | undefined;
  maxSize: number;
}

const DELAY = 1000;
const MAX_SIZE = 512 * 1024 ** 2;

/** Milliseconds after which a lock is stale: a host takes at most ten minutes. */
const LOCK_LIFETIME = 15 * 60_000;
/** Milliseconds after which a failed compilation is tried again. */
const FAILURE_LIFETIME = 24 * 60 * 60_000;

/**
 * Set in the compiling process, so that it does not start another one: an executable that contains a program would
 * run that program instead of the host.
 */
const RECOMPILING_VARIABLE = 'WASM_PRECOMPILE_RECOMPILING';

/** Variables that change V8's flags, add preload scripts, or connect a child process to its parent. */
const REMOVED_VARIABLES = ['NODE_OPTIONS', 'NODE_V8_COVERAGE', 'NODE_CHANNEL_FD', 'ELECTRON_RUN_AS_NODE'];

const debug = debuglog('wasm-precompile');

/** Ids whose compilation this thread has scheduled: each at most once. */
const scheduled = new Set<string>();

export function createRecompile(options: RecompileSetup): Recompile {
  return (file, manifest, wire, addons) => {
    try {
      return recompile(options, file, manifest, wire, addons);
    } catch (error) {
      return { status: `off (${error as Error})` };
    }
  };
}

function recompile(
  options: RecompileSetup,
  file: string,
  manifest: ArtifactManifest,
  wire: ArrayBuffer,
  addons: Addons,
): Recompiled {
  const loaded = loadAddon(addons);
  const obstacle = findObstacle(loaded);
  if (obstacle) return { status: `off (${obstacle})` };
  const addon = typeof loaded === 'string' ? undefined : loaded;
  const { platform, arch, versions } = process;
  const flagHash = getFlagHash();
  const engine = `v8-${versions.v8}-${platform}-${arch}`;
  const id = `${engine}-${hex(flagHash)}-${manifest.buildId}-${hex(manifest.wire.crc32)}`;
  const folder = options.folder ?? defaultFolder();
  const known = listCached(folder, id);
  let module: WebAssembly.Module | undefined;
  for (const name of known) {
    const code = readRecompiled(folder, name);
    // V8 rejects native code with other CPU features: it is from another machine that shares the folder.
    const result = code && deserialize(code, wire, { hash: flagHash }, addon, {});
    if (result && result.rejection === undefined) {
      return { module: result.module, engine: `recompiled ${engine}-${featuresOf(name)}-${hex(flagHash)}` };
    }
    module ??= result?.module;
  }
  const status = readLock(lockFile(folder, id));
  if (status) return { status, module };
  if (!scheduled.has(id)) {
    scheduled.add(id);
    const job = {
      v8: versions.v8,
      flagHash,
      artifact: file,
      wire: fullPrimaryPlan(manifest) ?? [manifest.wire],
      folder,
      id,
      compiler: fileURLToPath(options.compiler),
      addon: addon?.file,
      maxSize: options.maxSize ?? MAX_SIZE,
    };
    const delay = options.delay ?? DELAY;
    whenIdle(delay, () => startHost(fileURLToPath(options.host), job, known));
  }
  return { status: 'starts when the program is idle, for the next startup', module };
}

/** Returns why this process cannot use on-device compilation, regardless of what is in the folder. */
function findObstacle(addon: Addon | string): string | undefined {
  const { versions, platform, env, execPath } = process;
  if (env[RECOMPILING_VARIABLE]) return 'this process compiles for another one';
  if (!process.geteuid) return `the owners of files are unknown on ${platform}`;
  // The child process must be node, not a program that contains it.
  if (versions['electron'] ?? !basename(execPath).startsWith('node')) return `${execPath} is not node`;
  if (!getCrc32()) return 'zlib.crc32 is missing';
  if (typeof addon !== 'string') return trapHandlerMissing(addon) || undefined;
  return HAS_NATIVES ? trapHandlerMissing(undefined) || undefined : `it needs the native addon: ${addon}`;
}

/** Starts a process that makes native code, unless another process is making it or has made it since. */
function startHost(host: string, job: Omit<RecompileJob, 'flags'>, known: readonly string[]): void {
  const { folder, id } = job;
  try {
    const flags = commandLine();
    // Loading native code would switch the natives syntax off for the entire program.
    if (flags.some((flag) => /allow.natives.syntax/.test(flag)))
      throw new Error('--allow-natives-syntax is on');
    if (isSea()) throw new Error('this executable is not node');
    makeFolder(folder);
    const lock = lockFile(folder, id);
    if (!acquire(lock)) return;
    const release = () => rmSync(lock, { force: true });
    try {
      // Checked with the lock held: its last holder may have finished just before.
      if (listCached(folder, id).some((name) => !known.includes(name))) return release();
      const child = builtin('node:child_process').spawn(
        process.execPath,
        [host, JSON.stringify({ ...job, flags } satisfies RecompileJob)],
        {
          cwd: folder,
          detached: true,
          env: {
            ...Object.fromEntries(
              Object.entries(process.env).filter(([name]) => !REMOVED_VARIABLES.includes(name)),
            ),
            [RECOMPILING_VARIABLE]: '1',
          },
          stdio: 'ignore',
        },
      );
      child.once('error', (error) => {
        release();
        reportOff(job.artifact, error);
      });
      child.unref();
    } catch (error) {
      release();
      throw error;
    }
  } catch (error) {
    reportOff(job.artifact, error);
  }
}

/**
 * Returns whether the executable is a single executable application, which would run the program instead of the host.
 */
function isSea(): boolean {
  try {
    return builtin('node:sea').isSea();
  } catch {
    // This Node has no `node:sea`.
    return false;
  }
}

/** Returns the names of the cached files for this kind of process. */
function listCached(folder: string, id: string): string[] {
  if (!isTrustedFolder(folder)) return [];
  return readdirSync(folder).filter((name) => name.startsWith(`${id}-`) && name.endsWith('.native'));
}

/**
 * Returns the path of the lock: empty while a host runs; afterwards removed, or with the reason why the host failed.
 */
function lockFile(folder: string, id: string): string {
  return join(folder, `${id}.lock`);
}

/** Returns the status that a lock stands for; undefined if there is none or if it is stale. */
function readLock(lock: string): string | undefined {
  try {
    const age = Date.now() - statSync(lock).mtimeMs;
    const failure = readFileSync(lock, 'utf8');
    if (age > (failure === '' ? LOCK_LIFETIME : FAILURE_LIFETIME)) return undefined;
    return failure === '' ? 'in progress' : `off (it failed: ${failure})`;
  } catch {
    return undefined;
  }
}

/** Two processes may both replace a stale lock. Then both make the same native code, once. */
function acquire(lock: string): boolean {
  if (readLock(lock) !== undefined) return false;
  try {
    if (statSync(lock, { throwIfNoEntry: false })) rmSync(lock, { force: true });
    closeSync(openSync(lock, 'wx', 0o600));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Returns the CPU features, the last field in the name of a cached file. */
function featuresOf(name: string): string {
  return name.slice(-8 - '.native'.length, -'.native'.length);
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}

function reportOff(file: string, error: unknown): void {
  debug('%s on-device compilation is off (%s)', file, `${error as Error}`);
}
