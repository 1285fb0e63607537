/**
 * Deployed programs: a folder with the built runtime (dist/), an artifact for all four versions of Node, the native
 * addon's binaries, and scripts. Real node binaries run the scripts in processes of their own.
 */
import { chmodSync, copyFileSync, cpSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { packArtifact } from '../../src/artifact/pack.ts';
import { resolveOptions } from '../../src/build/options/resolve.ts';
import { createPipeline } from '../../src/build/compile/pipeline.ts';
import { checksum } from '../../src/runtime/node/checksum.ts';
import type { ArtifactManifest, NativeEntry } from '../../src/runtime/shared/manifest.ts';
import type { ArtifactOptions } from '../../src/runtime/node/index.ts';
import { USE_SAMPLE } from '../v8/modules.ts';
import { CACHE, ROOT } from '../v8/support.ts';
import { ensureNode, NODE_VERSIONS } from '../support/nodes.ts';

export interface Program {
  folder: string;
  /** Path of the artifact. */
  artifact: string;
  /** The artifact's bytes. */
  bytes: Buffer;
  manifest: ArtifactManifest;
  /** Paths of the native addon's binaries, by the runtime's key for them. */
  addons: Record<string, string>;
}

/** A line that `NODE_DEBUG=wasm-precompile` prints for a load. */
export interface Load {
  file: string;
  how: string;
  detail: string;
  bytes: number;
  access: string;
}

export interface Result {
  /** Exit code, or the signal that ended the process. */
  end: number | string;
  /** Values that the script printed as JSON. */
  printed: unknown[];
  loads: Load[];
  /** Messages of warnings with code WASM_PRECOMPILE_FALLBACK. */
  warnings: string[];
  stderr: string;
}

export interface Run {
  /** Path of the node executable. */
  node: string;
  args?: string[];
  env?: Record<string, string>;
  /** User and group that run it. Default: those of the tests. */
  uid?: number;
  /** A shell command before node starts, e.g. `ulimit -v 1000000`. */
  limit?: string;
  /** Arguments of `fromArtifact`. Default: those of the build. */
  artifact?: string;
  manifest?: ArtifactManifest;
  addons?: Record<string, string>;
  /** Whether the program has the checksums of these binaries instead of the build's. */
  trustAddons?: boolean;
  options?: Partial<ArtifactOptions>;
}

/** Executables of the four versions. */
export const NODES = await Promise.all(
  NODE_VERSIONS.map(async (version) => ({ version, node: await ensureNode(version) })),
);

/** `process.versions.modules` of each. */
export const ABI: Record<string, string> = { '20.19': '115', '22': '127', '24': '137', '26': '147' };

/** Node 26, the version without natives. */
export const NODE_26 = await ensureNode('26');

/** The user `nobody`, which owns no files. */
export const NOBODY = 65534;

/** Loads asynchronously, then synchronously, and uses both modules. */
export const LOAD = 'print(use(await create().load()));\nprint(use(create().loadSync()));';

/**
 * Builds a program from a wasm file.
 *
 * @param profile path of a startup profile
 */
export async function createProgram(
  folder: string,
  wasmFile: string,
  targets: string[] = NODES.map(({ node }) => node),
  profile?: string,
): Promise<Program> {
  const pipeline = createPipeline(
    resolveOptions({ cache: CACHE, cpu: 'host', targets, ...(profile && { profile }) }),
    {
      warn: (message) => {
        throw new Error(message);
      },
      progress: { track: (_, job) => job() },
    },
  );
  const { bytes, manifest } = packArtifact(await pipeline.compile(await pipeline.read(wasmFile)));
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  cpSync(path.join(ROOT, 'dist/runtime'), path.join(folder, 'runtime'), { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  const artifact = path.join(folder, `${path.basename(wasmFile, '.wasm')}.elf`);
  writeFileSync(artifact, bytes);
  const addons: Record<string, string> = {};
  for (const [key, file] of await pipeline.addons()) {
    addons[key] = path.join(folder, `${key}.node`);
    cpSync(file, addons[key]);
  }
  return { folder, artifact, bytes: Buffer.from(bytes), manifest, addons };
}

let files = 0;

/**
 * Writes a script into the folder of a program. It may use
 * - `create(changes)`, which returns a module handle, `use(module)`, `print(value)`;
 * - `addon`, the native addon of the running node; `fileRanges`, the ranges that the runtime maps (header, wire bytes,
 *   native code); and `compilePlain()`, which compiles the wire bytes;
 * - `file`, `url`, `manifest`, `options`, `addons`, `fromArtifact`.
 */
export function writeScript(program: Program, script: string, changes: Omit<Run, 'node'> = {}): string {
  const file = path.join(program.folder, `script-${files++}.mjs`);
  const options: ArtifactOptions = { verify: true, fallback: 'warn', ...changes.options };
  const artifact = changes.artifact ?? program.artifact;
  const addons = Object.fromEntries(
    Object.entries(changes.addons ?? program.addons).map(([key, addon]) => {
      const original = changes.trustAddons ? addon : program.addons[key];
      const sum = original === undefined ? 0 : checksum(readFileSync(original));
      return [key, [pathToFileURL(addon).href, sum]];
    }),
  );
  writeFileSync(
    file,
    `import { fromArtifact } from './runtime/node/index.js';
import { checkCompatibility } from './runtime/node/compatibility.js';
import { loadAddon } from './runtime/node/addon.js';
import * as fs from 'node:fs';
const file = ${JSON.stringify(artifact)};
const url = ${JSON.stringify(pathToFileURL(artifact).href)};
const manifest = ${JSON.stringify(changes.manifest ?? program.manifest)};
const options = { ...${JSON.stringify(options)}, checkCompatibility };
const addons = ${JSON.stringify(addons)};
const native = manifest.native.find(({ engine }) => engine.startsWith('v8-' + process.versions.v8 + '-'));
const fileRanges = [{ offset: 0, size: manifest.buildIdOffset + 20 }, manifest.wire, native];
const addon = new Proxy({}, { get: (_, name) => loadAddon(addons)[name] });
const create = (changes) => fromArtifact(url, manifest, { ...options, ...changes }, addons);
const compilePlain = () =>
  new WebAssembly.Module(fs.readFileSync(file).subarray(manifest.wire.offset, manifest.wire.offset + manifest.wire.size));
const print = (value) => console.log(JSON.stringify(value));
${USE_SAMPLE.replace('export ', '')}
${script}
`,
  );
  return file;
}

/** Runs a script of a program, as `writeScript` writes it. */
export async function run(program: Program, script: string, options: Run): Promise<Result> {
  const { node, args = [], env, limit = ':', uid } = options;
  const file = writeScript(program, script, options);
  return runCommand('sh', ['-c', `${limit}; exec "$@"`, 'sh', node, ...args, file], { uid, env });
}

/** Runs a program that prints lines of JSON, and returns its result even if it fails. */
export async function runCommand(
  command: string,
  args: string[],
  {
    env,
    uid,
    cwd = '/',
  }: { env?: Record<string, string> | undefined; uid?: number | undefined; cwd?: string } = {},
): Promise<Result> {
  const { exitCode, signal, stdout, stderr } = await execa(command, args, {
    reject: false,
    stdin: 'ignore',
    extendEnv: false,
    env: { NODE_DEBUG: 'wasm-precompile', PATH: process.env['PATH'] ?? '', ...env },
    cwd,
    ...(uid !== undefined && { uid, gid: uid }),
  });
  return {
    end: signal ?? exitCode ?? 'not started',
    printed: stdout.split('\n').flatMap((line): unknown[] => (line === '' ? [] : [JSON.parse(line)])),
    loads: [
      ...stderr.matchAll(
        /^WASM-PRECOMPILE \d+: (.+) (precompiled|compiled) \((.*)\) (\d+) bytes (mapped|read) [\d.]+ ms$/gm,
      ),
    ].map(([, loaded = '', how = '', detail = '', bytes, access = '']) => ({
      file: loaded,
      how,
      detail,
      bytes: Number(bytes),
      access,
    })),
    warnings: [...stderr.matchAll(/\[WASM_PRECOMPILE_FALLBACK\] Warning: (.*)$/gm)].map(
      ([, message = '']) => message,
    ),
    stderr,
  };
}

/** Copies a node to a folder in which every user may run it. A checkout is often in a private folder. */
export function shareNode(folder: string, node: string): string {
  const shared = path.join(folder, `node-${files++}`);
  chmodSync(folder, 0o755);
  try {
    linkSync(node, shared);
  } catch {
    // The folder is on another file system.
    copyFileSync(node, shared);
  }
  return shared;
}

/** Returns the parts of debug lines that do not depend on the file: `precompiled mapped`. */
export function outcomes({ loads }: Result): string[] {
  return loads.map(({ how, access }) => `${how} ${access}`);
}

/** Returns the native code of a program for a version of V8 (`14.6`). */
export function segmentFor({ manifest }: Program, v8: string): NativeEntry {
  const segment = manifest.native.find(({ engine }) => engine.startsWith(`v8-${v8}`));
  if (!segment) throw new Error(`no native code for V8 ${v8}`);
  return segment;
}

/** Returns a new path in a program's folder. */
export function newPath({ folder }: Program, name: string): string {
  return path.join(folder, `${files++}-${name}`);
}

/** Writes another file beside a program's artifact. */
export function writeCopy(program: Program, bytes: Uint8Array, name = 'altered.elf'): string {
  const file = newPath(program, name);
  writeFileSync(file, bytes);
  return file;
}

export { forgeManifest as forgeMap } from '../runtime/support.ts';

/** Wraps a script so that it runs in a worker. `print` works there, too. */
export function inWorker(script: string, workerOptions = '{}'): string {
  return `
import { Worker, isMainThread } from 'node:worker_threads';
if (isMainThread) {
  new Worker(new URL(import.meta.url), ${workerOptions}).on('error', (error) => { throw error; });
} else {
  ${script}
}`;
}
