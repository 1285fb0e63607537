/**
 * Deployed programs: a folder with the built runtime (dist/), an artifact and scripts, which real node binaries run
 * in processes of their own. So no process shares V8's compiled modules, its flags or a crash with another.
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
  /** The whole artifact. */
  bytes: Buffer;
  manifest: ArtifactManifest;
}

/** Builds an artifact of a wasm file for some nodes, with the runtime beside it. */
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
  /** For `fromArtifact`, where not those of the build. */
  artifact?: string;
  manifest?: ArtifactManifest;
  options?: Partial<ArtifactOptions> | undefined;
  /** A shell command before node starts, e.g. `ulimit -v 1000000`. */
  limit?: string;
}

/** What NODE_DEBUG=wasm-precompile says of one load. */
export interface Load {
  file: string;
  how: string;
  detail: string;
  bytes: number;
}

export interface Result {
  /** Exit code, or the signal that ended the process. */
  end: number | string;
  /** What the script printed. */
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
 * Writes a script into the folder of a program. It may use `create(options)`, which makes a loader, `use(module)`,
 * `print(value)`, `fromArtifact`, `url`, `map` and `options`.
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

/** Runs a script of a program, as `writeScript` writes it. */
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

/** An array of one value, several times. */
export function times<Value>(count: number, value: Value): Value[] {
  return Array.from({ length: count }, () => value);
}

/** The native code for the only target. */
export function onlySegment({ manifest }: Pick<Output, 'manifest'>): NativeEntry {
  const [segment] = manifest.native;
  if (!segment || manifest.native.length > 1) throw new Error('expected native code for one target');
  return segment;
}

/** A copy of a program's artifact with some bytes changed. */
export function alterBytes({ bytes }: Output, change: (bytes: Buffer) => void): Buffer {
  const altered = Buffer.from(bytes);
  change(altered);
  return altered;
}

/** Puts another file beside a program's artifact, under a name of its own. */
export function writeFile({ folder }: Output, bytes: Uint8Array): string {
  const file = path.join(folder, `altered-${scripts++}.elf`);
  writeFileSync(file, bytes);
  return file;
}

/** The manifest of a program with the checksums and the build id that a changed file would need to get past the checks. */
export function forgeMap(
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

/** In each of the versions that precompile: what a good load looks like. */
export function precompiled({ artifact, manifest }: Output): Load {
  const { engine, size } = onlySegment({ manifest });
  return { file: artifact, how: 'precompiled', detail: engine, bytes: size + manifest.wire.size };
}
