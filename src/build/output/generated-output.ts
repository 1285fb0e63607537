/**
 * Adds the register file, and what it refers to, to an output that the bundler has already generated: for bundlers
 * whose plugins see the output only then.
 */
import { posix } from 'node:path';
import remapping, { type SourceMapInput } from '@jridgewell/remapping';
import { sha256 } from '../../common/sha256.ts';
import type { BundlerContext, WrittenOutput } from '../bundler-context.ts';
import { type ImportingScript, importRegister } from '../codegen/import-register.ts';
import type { RegisterFormat } from '../codegen/register.ts';
import type { GeneratedFile } from '../discover/recognised-modules.ts';
import type { ExternalImport } from '../discover/external/packages.ts';
import { changeOwnSourceMap } from './inline-source-maps.ts';
import type { OutputFile } from './rewrite-output.ts';

/** Names of files are paths in the output, with `/`. */
export interface GeneratedOutput {
  format: RegisterFormat;
  /** What the bundler left in the output. */
  imports: readonly ExternalImport[];
  /** The scripts that programs and workers start with. */
  entries: readonly string[];
  /** Names a file by the pattern of the bundler's options. */
  nameAsset: (name: string, digest: string) => string;
  /** Undefined if there is no such file. */
  read: (name: string) => Promise<string | undefined>;
  write: (name: string, contents: Uint8Array) => Promise<void>;
}

/** @returns the files that were added */
export async function addRegisterTo(
  output: GeneratedOutput,
  context: BundlerContext,
  generate: (emitting: BundlerContext, find: WrittenOutput['find']) => Promise<GeneratedFile | undefined>,
): Promise<OutputFile[]> {
  const added = new Map<string, { source: Uint8Array; file: OutputFile }>();
  const emit = (name: string, source: Uint8Array) => {
    const digest = sha256(source).slice(0, 8);
    const fileName = output.nameAsset(name, digest);
    const start = fileName.indexOf(digest);
    const hash = start === -1 ? undefined : { start, length: digest.length };
    added.set(fileName, { source, file: { name: fileName, hash } });
    return { id: fileName, url: JSON.stringify(fileName) };
  };
  const register = await generate({ ...context, emit }, (id) => added.get(id)?.file);
  if (!register) return [];
  const source = Buffer.from(register.code);
  added.set(register.name, { source, file: { name: register.name, hash: undefined } });
  // The entries last: a program that starts meanwhile finds all that its entry imports.
  await Promise.all([...added].map(([name, file]) => output.write(name, file.source)));
  await Promise.all(output.entries.map((name) => importInto(output, name)));
  return [...added.values()].map(({ file }) => file);
}

async function importInto(output: GeneratedOutput, name: string): Promise<void> {
  const code = await output.read(name);
  if (code === undefined) return;
  const script = importRegister(code, name, output.format);
  const mapName = `${name}.map`;
  const map = await output.read(mapName);
  if (map !== undefined) await output.write(mapName, Buffer.from(shift(map, script)));
  const changed =
    map === undefined ? changeOwnSourceMap(script.code, (json) => shift(json, script)) : script.code;
  await output.write(name, Buffer.from(changed));
}

/** Returns the source map of a script that got an import; unchanged if it cannot be read. */
function shift(map: string, script: ImportingScript): string {
  try {
    const original = JSON.parse(map) as SourceMapInput & { file?: string };
    const result = remapping([script.map as SourceMapInput, original], () => null);
    // The library drops fields that it does not know.
    return JSON.stringify({ ...(original as object), ...result });
  } catch {
    return map;
  }
}

/** Names a file by a pattern with the placeholders of esbuild and Bun, such as `assets/[name]-[hash].[ext]`. */
export function nameByPattern(pattern: string, name: string, digest: string): string {
  const { name: stem, ext } = posix.parse(name);
  const hashed = pattern.includes('[hash]') ? pattern : pattern.replace(/(\.\[ext\])?$/, '-[hash]$1');
  const file = hashed
    .replaceAll('[dir]', '')
    .replaceAll('[name]', () => stem)
    .replaceAll('[hash]', digest)
    .replace(/\.\[ext\]$/, '')
    .replaceAll('[ext]', () => ext.slice(1));
  return posix.join('/', `${file}${ext}`).slice(1);
}
