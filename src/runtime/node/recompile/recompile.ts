/**
 * Healing: where an artifact's native code does not fit, a process that is idle has it made for processes like itself, and
 * the next one finds it. Nothing waits for that, and whatever is in its way means only that the module is compiled at
 * start-up as before.
 *
 *  - What makes native code is a process of its own (v8/recompile-host.js), which outlives this one.
 *  - What it has made is executed, so it is read only where nobody but this user, or root, could have written it.
 *  - It is for one V8 with the very flags of this process. CPU features are in the header, where V8 compares them.
 */
import { builtin } from '../builtin.ts';
import { type Addon, type Addons, loadAddon } from '../addon.ts';
import type { Recompile, Recompiled } from '../artifact.ts';
import { getCrc32 } from '../crc32.ts';
import { commandLine } from '../compatibility.ts';
import { defaultFolder, isTrustedFolder, makeFolder, readRecompiled } from './folder.ts';
import { whenIdle } from './idle.ts';
import { fullOf } from '../../shared/reassembly-plan.ts';
import type { ArtifactManifest, SegmentEntry } from '../../shared/manifest.ts';
import { deserialize, getFlagHash, HAS_NATIVES } from '../natives.ts';
import { trapHandlerMissing } from '../trap-handler.ts';

export type { Recompile as Heal, Recompiled as Healed } from '../artifact.ts';

const { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync } = builtin('node:fs');
const { basename, join } = builtin('node:path');
const { fileURLToPath } = builtin('node:url');
const { debuglog } = builtin('node:util');

export interface RecompileSetup {
  /** Absolute path of the cache folder. Default: `wasm-precompile` where the user's caches are. */
  folder?: string | undefined;
  /** Milliseconds for which the event loop must have been idle; 0: as soon as it turns. Default: 1000. */
  delay?: number;
  /** How many bytes the folder may hold. Default: 512 MiB. */
  maxSize?: number;
  /** File URL of heal-host.js. */
  host: string;
  /** File URL of compile-host.js. */
  compiler: string;
}

/** What heal-host.js is to do. */
export interface RecompileJob {
  /** `process.versions.v8` of the process that asks: the executable may be another one by now. */
  v8: string;
  flagHash: number;
  /** Of the command line and NODE_OPTIONS, Node's own among them. */
  flags: string[];
  artifact: string;
  /** The wire bytes; or a recipe for them, and what it is for (join.ts). */
  wire: readonly SegmentEntry[];
  folder: string;
  /** What files for this module and these flags begin with. */
  id: string;
  compiler: string;
  addon: string | undefined;
  maxSize: number;
}

const DELAY = 1000;
const MAX_SIZE = 512 * 1024 ** 2;

/** Milliseconds until a lock counts as left behind: a host has at most ten minutes. */
const LOCK_LIFE = 15 * 60_000;
/** Milliseconds until what failed is tried again. */
const FAILURE_LIFE = 24 * 60 * 60_000;

/** Keeps a process that heals from healing: an executable that is no plain node would run the whole program again. */
const MARK = 'WASM_PRECOMPILE_RECOMPILING';

/** Variables that change V8's flags, what node runs first, or how a child talks to its parent. */
const REMOVED_VARIABLES = ['NODE_OPTIONS', 'NODE_V8_COVERAGE', 'NODE_CHANNEL_FD', 'ELECTRON_RUN_AS_NODE'];

const debug = debuglog('wasm-precompile');

/** Each is healed once at most in a thread. */
const asked = new Set<string>();

export function createRecompile(options: RecompileSetup): Recompile {
  return (file, manifest, wire, addons) => {
    try {
      return recompile(options, file, manifest, wire, addons);
    } catch (error) {
      return { refused: `off (${error as Error})` };
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
  const addon = loadAddon(addons);
  const off = whyOff(addon);
  if (off) return { refused: `off (${off})` };
  const loader = typeof addon === 'string' ? undefined : addon;
  const { platform, arch, versions } = process;
  const flagHash = getFlagHash();
  const engine = `v8-${versions.v8}-${platform}-${arch}`;
  const id = `${engine}-${hex(flagHash)}-${manifest.buildId}-${hex(manifest.wire.crc32)}`;
  const folder = options.folder ?? defaultFolder();
  const known = list(folder, id);
  let module: WebAssembly.Module | undefined;
  for (const name of known) {
    const code = readRecompiled(folder, name);
    // Without its CPU features V8 does not take it: it is of another machine with which the folder is shared.
    const result = code && deserialize(code, wire, { hash: flagHash }, loader, {});
    if (result && result.refused === undefined) {
      return { module: result.module, engine: `healed ${engine}-${featuresOf(name)}-${hex(flagHash)}` };
    }
    module ??= result?.module;
  }
  const state = stateOf(lockOf(folder, id));
  if (state) return { refused: state, module };
  if (!asked.has(id)) {
    asked.add(id);
    const job = {
      v8: versions.v8,
      flagHash,
      artifact: file,
      wire: fullOf(manifest) ?? [manifest.wire],
      folder,
      id,
      compiler: fileURLToPath(options.compiler),
      addon: loader?.file,
      maxSize: options.maxSize ?? MAX_SIZE,
    };
    const delay = options.delay ?? DELAY;
    whenIdle(delay, () => start(fileURLToPath(options.host), job, known));
  }
  return { refused: 'native code is made once the program is idle, for the next start', module };
}

/** Why healing is not for this process, whatever is in the folder. */
function whyOff(addon: Addon | string): string | undefined {
  const { versions, platform, env, execPath } = process;
  if (env[MARK]) return 'this process heals';
  if (!process.geteuid) return `who may write a file cannot be found out on ${platform}`;
  // The child has to be a node, not a program that contains one.
  if (versions['electron'] ?? !basename(execPath).startsWith('node')) return `${execPath} is not node`;
  if (!getCrc32()) return 'zlib.crc32 is missing';
  if (typeof addon !== 'string') return trapHandlerMissing(addon) || undefined;
  return HAS_NATIVES ? trapHandlerMissing(undefined) || undefined : `it needs the native loader: ${addon}`;
}

/** Has native code made, where no other process does so or has done so since. */
function start(host: string, job: Omit<RecompileJob, 'flags'>, known: readonly string[]): void {
  const { folder, id } = job;
  try {
    const flags = commandLine();
    // Loading native code would switch the syntax off for the whole program.
    if (flags.some((flag) => /allow.natives.syntax/.test(flag)))
      throw new Error('--allow-natives-syntax is on');
    if (isSea()) throw new Error('this executable is not node');
    makeFolder(folder);
    const lock = lockOf(folder, id);
    if (!take(lock)) return;
    const release = () => rmSync(lock, { force: true });
    try {
      // Only now: who had the lock before may have been about to finish.
      if (list(folder, id).some((name) => !known.includes(name))) return release();
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
            [MARK]: '1',
          },
          stdio: 'ignore',
        },
      );
      child.once('error', (error) => {
        release();
        tell(job.artifact, error);
      });
      child.unref();
    } catch (error) {
      release();
      throw error;
    }
  } catch (error) {
    tell(job.artifact, error);
  }
}

/** Whether the program and its node are one file (single executable application): started, it is the program. */
function isSea(): boolean {
  try {
    return builtin('node:sea').isSea();
  } catch {
    // A Node without.
    return false;
  }
}

/** The healed files for this kind of process. */
function list(folder: string, id: string): string[] {
  if (!isTrustedFolder(folder)) return [];
  return readdirSync(folder).filter((name) => name.startsWith(`${id}-`) && name.endsWith('.native'));
}

/** Of one that heals: empty while it does so; then gone, or with the reason why it has failed. */
function lockOf(folder: string, id: string): string {
  return join(folder, `${id}.lock`);
}

/** What a lock says; undefined where there is none, or one that was left behind. */
function stateOf(lock: string): string | undefined {
  try {
    const age = Date.now() - statSync(lock).mtimeMs;
    const failure = readFileSync(lock, 'utf8');
    if (age > (failure === '' ? LOCK_LIFE : FAILURE_LIFE)) return undefined;
    return failure === '' ? 'native code is being made' : `off (native code cannot be made: ${failure})`;
  } catch {
    return undefined;
  }
}

/** Two processes may both find a lock that was left behind, and both take it: then both do the same work, once. */
function take(lock: string): boolean {
  if (stateOf(lock) !== undefined) return false;
  try {
    if (statSync(lock, { throwIfNoEntry: false })) rmSync(lock, { force: true });
    closeSync(openSync(lock, 'wx', 0o600));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** The last part of a healed file's name. */
function featuresOf(name: string): string {
  return name.slice(-8 - '.native'.length, -'.native'.length);
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}

function tell(file: string, error: unknown): void {
  debug('%s healing is off (%s)', file, `${error as Error}`);
}
