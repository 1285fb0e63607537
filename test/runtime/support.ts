/**
 * Deployed programs: a folder with the built runtime (dist/), an artifact and scripts. Real node binaries run each
 * script in a separate process, so that runs do not share V8's compiled modules, its flags or a crash.
 */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';
import { execa } from 'execa';
import { packArtifact } from '../../src/artifact/pack.ts';
import type { ArtifactManifest, NativeEntry } from '../../src/runtime/shared/manifest.ts';
import type { ArtifactOptions } from '../../src/runtime/node/index.ts';
import { USE_SAMPLE } from '../v8/modules.ts';
import { compile, ROOT } from '../v8/support.ts';

/** A built program. */
export interface Output {
  folder: string;
  /** Path of the artifact. */
  artifact: string;
  /** The contents of the artifact. */
  bytes: Buffer;
  manifest: ArtifactManifest;
}

/** Builds an artifact of a wasm file for some nodes, and copies the runtime beside it. */
export async function build(folder: string, wasmFile: string, targets: string[]): Promise<Output> {
  const { contents } = await compile(wasmFile, { targets });
  const { bytes, manifest } = packArtifact(contents);
  mkdirSync(folder, { recursive: true });
  cpSync(path.join(ROOT, 'dist/runtime'), path.join(folder, 'runtime'), { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  const artifact = path.join(folder, `${path.basename(wasmFile, '.wasm')}.elf`);
  writeFileSync(artifact, bytes);
  return { folder, artifact, bytes: Buffer.from(bytes), manifest };
}

export interface Run {
  /** Path of the node that runs. */
  node: string;
  args?: string[];
  env?: Record<string, string>;
  /** Arguments of `fromArtifact`. Default: those of the build. */
  artifact?: string;
  manifest?: ArtifactManifest;
  options?: Partial<ArtifactOptions> | undefined;
  /** A shell command before node starts, e.g. `ulimit -v 1000000`. */
  limit?: string;
}

/** The debug line of one load (NODE_DEBUG=wasm-precompile). */
export interface Load {
  file: string;
  how: string;
  detail: string;
  bytes: number;
}

export interface Result {
  /** Exit code, or the signal that ended the process. */
  end: number | string;
  /** The values that the script printed. */
  printed: unknown[];
  loads: Load[];
  /** Messages of warnings with code WASM_PRECOMPILE_FALLBACK. */
  warnings: string[];
  stderr: string;
}

/** Loads asynchronously and uses the module. */
export const LOAD = 'print(use(await create().load()));';
/** Loads synchronously and uses the module. */
export const LOAD_SYNC = 'print(use(create().loadSync()));';
/** Prints the error of a load that must fail. */
export const LOAD_ERROR = `
await create().load().then(() => print('loaded'), ({ message, code }) => print({ message, code }));
try { create().loadSync(); print('loaded'); } catch ({ message, code }) { print({ message, code }); }
`;

let scripts = 0;

/**
 * Writes a script into the folder of a program. The script may use `create(options)`, which returns a module handle,
 * `use(module)`, `print(value)`, `fromArtifact`, `url`, `manifest` and `options`.
 */
function writeScript(output: Output, script: string, { artifact, manifest, options: changes }: Run): string {
  const file = path.join(output.folder, `script-${scripts++}.mjs`);
  const options: ArtifactOptions = { verify: true, fallback: 'warn', ...changes };
  writeFileSync(
    file,
    `import { fromArtifact } from './runtime/node/index.js';
import { checkCompatibility } from './runtime/node/compatibility.js';
const url = ${JSON.stringify(pathToFileURL(artifact ?? output.artifact).href)};
const manifest = ${JSON.stringify(manifest ?? output.manifest)};
const options = { ...${JSON.stringify(options)}, checkCompatibility };
const create = (changes) => fromArtifact(url, manifest, { ...options, ...changes });
const print = (value) => console.log(JSON.stringify(value));
${USE_SAMPLE.replace('export ', '')}
${script}
`,
  );
  return file;
}

/** Runs a script of a program (see `writeScript`). */
export async function run(output: Output, script: string, options: Run): Promise<Result> {
  const { node, args = [], env, limit = ':' } = options;
  const file = writeScript(output, script, options);
  const { exitCode, signal, stdout, stderr } = await execa(
    'sh',
    ['-c', `${limit}; exec "$@"`, 'sh', node, ...args, file],
    {
      reject: false,
      extendEnv: false,
      env: { NODE_DEBUG: 'wasm-precompile', PATH: process.env['PATH'] ?? '', ...env },
      cwd: output.folder,
    },
  );
  return {
    end: signal ?? exitCode ?? 'not started',
    printed: stdout.split('\n').flatMap((line): unknown[] => (line === '' ? [] : [JSON.parse(line)])),
    loads: [
      ...stderr.matchAll(
        /^WASM-PRECOMPILE \d+: (.+) (precompiled|compiled) \((.*)\) (\d+) bytes \S+ \S+ ms$/gm,
      ),
    ].map(([, loaded = '', how = '', detail = '', bytes]) => ({
      file: loaded,
      how,
      detail,
      bytes: Number(bytes),
    })),
    warnings: [...stderr.matchAll(/^\(node:\d+\) \[WASM_PRECOMPILE_FALLBACK\] Warning: (.*)$/gm)].map(
      ([, message = '']) => message,
    ),
    stderr,
  };
}

/** Returns an array that contains one value several times. */
export function times<Value>(count: number, value: Value): Value[] {
  return Array.from({ length: count }, () => value);
}

/** Returns the native code for the only target. */
export function onlySegment({ manifest }: Pick<Output, 'manifest'>): NativeEntry {
  const [segment] = manifest.native;
  if (!segment || manifest.native.length > 1) throw new Error('expected native code for one target');
  return segment;
}

/** Returns a copy of a program's artifact with changed bytes. */
export function alterBytes({ bytes }: Output, change: (bytes: Buffer) => void): Buffer {
  const altered = Buffer.from(bytes);
  change(altered);
  return altered;
}

/** Writes another file beside a program's artifact, with a new name. */
export function writeFile({ folder }: Output, bytes: Uint8Array): string {
  const file = path.join(folder, `altered-${scripts++}.elf`);
  writeFileSync(file, bytes);
  return file;
}

/** Returns the manifest with the checksums and the build id of a changed file, so that it passes the checks. */
export function forgeManifest(
  manifest: ArtifactManifest,
  bytes: Buffer,
  changes: Partial<NativeEntry> = {},
): ArtifactManifest {
  const forge = <Segment extends { offset: number; size: number }>(segment: Segment) => ({
    ...segment,
    crc32: crc32(bytes.subarray(segment.offset, segment.offset + segment.size)),
  });
  return {
    ...manifest,
    size: bytes.length,
    buildId: bytes.subarray(manifest.buildIdOffset, manifest.buildIdOffset + 20).toString('hex'),
    wire: forge(manifest.wire),
    native: manifest.native.map((segment) => forge({ ...segment, ...changes })),
  };
}

/** Returns the debug line of a load with native code. */
export function precompiled({ artifact, manifest }: Output): Load {
  const { engine, size } = onlySegment({ manifest });
  return { file: artifact, how: 'precompiled', detail: engine, bytes: size + manifest.wire.size };
}
