/** Native code for tests, compiled by the real pipeline and kept in a common cache, since compiling is slow. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import type { ArtifactContents, NativeCode } from '../../src/artifact/contents.ts';
import { resolveOptions } from '../../src/build/options/resolve.ts';
import type { Options } from '../../src/build/options/types.ts';
import { createPipeline } from '../../src/build/compile/pipeline.ts';
import type { WasmInterface } from '../../src/wasm/binary/extern-types.ts';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A new folder whenever the script that compiles changes. */
export const CACHE = path.join(
  ROOT,
  'node_modules/.cache/wasm-precompile-tests',
  createHash('sha256')
    .update(readFileSync(path.join(ROOT, 'src/v8/compile-host.js')))
    .digest('hex')
    .slice(0, 16),
);

export const SQL_JS = path.join(ROOT, 'node_modules/sql.js/dist/sql-wasm.wasm');
export const SWC = path.join(ROOT, 'node_modules/@swc/wasm-web/wasm_bg.wasm');
export const RESVG = path.join(ROOT, 'node_modules/@resvg/resvg-wasm/index_bg.wasm');

/** Versions of Node that compile without the native addon; Node 26 has no natives. */
export const PRECOMPILING = ['20.19', '22', '24'] as const;

/** Creates a folder that is deleted after the tests of a file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'wasm-precompile-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Compiled {
  contents: ArtifactContents<WasmInterface>;
  warnings: string[];
}

/** Compiles a wasm file as a build does, for this machine's CPU only, so that V8 accepts the native code unchanged. */
export async function compile(file: string, options: Options): Promise<Compiled> {
  const warnings: string[] = [];
  const pipeline = createPipeline(resolveOptions({ cache: CACHE, cpu: 'host', ...options }), {
    warn: (message) => warnings.push(message),
    progress: { track: (_, job) => job() },
  });
  return { contents: await pipeline.compile(await pipeline.read(file)), warnings };
}

/** Returns the native code of a module for its only target. */
export function onlyNative({ contents, warnings }: Compiled): NativeCode {
  const [native] = contents.native;
  if (!native) throw new Error(`no native code: ${warnings.join('\n')}`);
  return native;
}

/** Finds the command among the arguments of a node: flags precede the script, and the command follows it. */
export const FIND_COMMAND =
  'command=; for word in "$@"; do case "$word" in probe|compile|check) command=$word ;; esac; done';

/**
 * Writes a shell script that replaces a node executable.
 *
 * @param node the node that runs all commands without a branch
 * @param cases branches of `case "$command" in`: `probe`, `compile` or `check`
 */
export function fakeNode(folder: string, name: string, node: string, cases: string): string {
  const file = path.join(folder, name);
  writeFileSync(
    file,
    `#!/bin/sh\nnode='${node}'\n${FIND_COMMAND}\ncase "$command" in\n${cases}\nesac\nexec "$node" "$@"\n`,
    {
      mode: 0o755,
    },
  );
  return file;
}
