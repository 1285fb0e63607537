/** Native code for tests: made by the real pipeline and kept in one cache, since compiling is slow. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import type { ArtifactContents, NativeCode } from '../../src/artifact/contents.ts';
import { type Options, resolveOptions } from '../../src/build/options/options.ts';
import { createPipeline } from '../../src/build/compile/pipeline.ts';
import type { WasmInterface } from '../../src/wasm/binary/types.ts';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Another folder whenever the code changes that makes native code. */
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

/** Versions that precompile; Node 26 has no natives. */
export const PRECOMPILING = ['20.19', '22', '24'] as const;

/** A folder that is gone after the tests of a file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'wasm-precompile-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Compiled {
  contents: ArtifactContents<WasmInterface>;
  warnings: string[];
}

/** Compiles a wasm file as a build does; for this machine alone, so that V8 takes the native code as it is. */
export async function compile(file: string, options: Options): Promise<Compiled> {
  const warnings: string[] = [];
  const pipeline = createPipeline(resolveOptions({ cache: CACHE, cpu: 'host', ...options }), {
    warn: (message) => warnings.push(message),
    progress: { track: (_, job) => job() },
  });
  return { contents: await pipeline.compile(await pipeline.read(file)), warnings };
}

/** The native code of a module for its only target. */
export function onlyNative({ contents, warnings }: Compiled): NativeCode {
  const [native] = contents.native;
  if (!native) throw new Error(`no native code: ${warnings.join('\n')}`);
  return native;
}

/** Flags may come before the script, and the command comes after it. */
export const FIND_COMMAND =
  'command=; for word in "$@"; do case "$word" in probe|compile|check) command=$word ;; esac; done';

/**
 * A program that stands for a node executable, as a shell script.
 *
 * @param node what runs where the script does not say otherwise
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
