/**
 * Deployed programs with the native addon, for versions of Node that have one: for tests of the compatibility check.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { packArtifact } from '../../src/artifact/pack.ts';
import { createPipeline } from '../../src/build/compile/pipeline.ts';
import { resolveOptions } from '../../src/build/options/resolve.ts';
import type { Options } from '../../src/build/options/types.ts';
import { checksum } from '../../src/runtime/node/checksum.ts';
import type { RecompileSetup } from '../../src/runtime/node/recompile/recompile.ts';
import type { ArtifactManifest } from '../../src/runtime/shared/manifest.ts';
import { USE_SAMPLE } from '../v8/modules.ts';
import { CACHE, ROOT } from '../v8/support.ts';

export interface Program {
  folder: string;
  manifest: ArtifactManifest;
  /** `process.versions.v8` of the first target. */
  v8: string;
}

/** Writes a folder with the built runtime, an artifact and the native addon. */
export async function createProgram(
  folder: string,
  wasm: string,
  targets: string[],
  options: Pick<Options, 'cpu'> = {},
): Promise<Program> {
  const pipeline = createPipeline(resolveOptions({ targets, cache: CACHE, ...options }), {
    warn: (message) => {
      throw new Error(message);
    },
    progress: { track: (_, job) => job() },
  });
  const { bytes, manifest } = packArtifact(await pipeline.compile(await pipeline.read(wasm)));
  mkdirSync(folder, { recursive: true });
  cpSync(path.join(ROOT, 'dist/runtime'), path.join(folder, 'runtime'), { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(path.join(folder, 'module.elf'), bytes);
  const addons: Record<string, [string, number]> = {};
  for (const [key, file] of await pipeline.addons()) {
    const copy = path.join(folder, `${key}.node`);
    cpSync(file, copy);
    addons[key] = [pathToFileURL(copy).href, checksum(readFileSync(copy))];
  }
  writeFileSync(path.join(folder, 'addons.json'), JSON.stringify(addons));
  return { folder, manifest, v8: manifest.native[0]?.engine.split('-')[1] ?? '' };
}

export interface ProgramRun {
  node: string;
  args?: string[];
  env?: Record<string, string>;
  manifest?: ArtifactManifest;
  /** Options of a worker that runs the script. */
  worker?: string | undefined;
  /** Options of `createRecompile`. */
  recompile?: Partial<RecompileSetup> | undefined;
  /** May use `create()` and `print()`; default: loads synchronously and asynchronously, and prints both results. */
  script?: string;
}

export interface ProgramResult {
  end: number | string;
  /** Engine keys of the native code that was used, one for each load. */
  engines: string[];
  /** Why native code was not used, one reason for each load. */
  reasons: string[];
  results: unknown[];
  stderr: string;
}

const LOAD_BOTH = `
print(use(create().loadSync()));
print(use(await create().load()));`;

function recompileImport(options: Partial<RecompileSetup>): string {
  const programs = {
    host: pathToFileURL(path.join(ROOT, 'dist/v8/recompile-host.js')).href,
    compiler: pathToFileURL(path.join(ROOT, 'dist/v8/compile-host.js')).href,
  };
  return `import { createRecompile } from './runtime/node/recompile/recompile.js';
const recompile = createRecompile(${JSON.stringify({ delay: 0, ...programs, ...options })});`;
}

let scripts = 0;

export async function runProgram(
  { folder, manifest }: Program,
  { node, args = [], env, manifest: other, worker, recompile, script = LOAD_BOTH }: ProgramRun,
): Promise<ProgramResult> {
  const file = path.join(folder, `program-${scripts++}.mjs`);
  const body = `
import { fromArtifact } from './runtime/node/index.js';
import { checkCompatibility } from './runtime/node/compatibility.js';
import { readFileSync } from 'node:fs';
${recompile ? recompileImport(recompile) : 'let recompile;'}
const addons = JSON.parse(readFileSync(new URL('addons.json', import.meta.url), 'utf8'));
const manifest = ${JSON.stringify(other ?? manifest)};
const url = new URL('module.elf', import.meta.url).href;
const print = (result) => console.log('RESULT ' + JSON.stringify(result));
const create = () => fromArtifact(url, manifest, { verify: true, fallback: 'warn', checkCompatibility, recompile }, addons);
${USE_SAMPLE.replace('export ', '')}
${script}`;
  writeFileSync(file, body);
  const main = file.replace('.mjs', '-main.mjs');
  writeFileSync(
    main,
    worker === undefined
      ? `import ${JSON.stringify(pathToFileURL(file).href)};`
      : `import { Worker } from 'node:worker_threads';
new Worker(new URL(${JSON.stringify(pathToFileURL(file).href)}), ${worker}).on('error', (error) => { throw error; });`,
  );
  const { exitCode, signal, stdout, stderr } = await execa(node, [...args, main], {
    reject: false,
    extendEnv: false,
    env: { NODE_DEBUG: 'wasm-precompile', PATH: process.env['PATH'] ?? '', ...env },
  });
  const warned = [...stderr.matchAll(/precompiled code is not used: (.*?)\. The module is compiled/g)];
  const logged = [...stderr.matchAll(/^WASM-PRECOMPILE \d+: \S+ compiled \((.*)\) \d+ bytes/gm)];
  return {
    end: signal ?? exitCode ?? 'not started',
    // Workers with an empty environment print no debug lines.
    reasons: (logged.length > 0 ? logged : warned).map(([, reason = '']) => reason),
    engines: [...stderr.matchAll(/^WASM-PRECOMPILE \d+: \S+ precompiled \((.*)\) \d+ bytes/gm)].map(
      ([, engine = '']) => engine,
    ),
    results: stdout
      .split('\n')
      .filter((line) => line.startsWith('RESULT '))
      .map((line): unknown => JSON.parse(line.slice('RESULT '.length))),
    stderr,
  };
}
