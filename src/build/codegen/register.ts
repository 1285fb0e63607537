/**
 * The file that a program imports first: the register hook (src/runtime/node/register/main.ts) and the index of this
 * build.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { encodePath } from '../../common/encode-path.ts';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import type { ArtifactManifest } from '../../runtime/shared/manifest.ts';
import type { ResolvedOptions, ResolvedRecompile } from '../options/resolve.ts';
import { formatManifest, manifestExpression } from './manifest-text.ts';

/** The module system of the output. */
export type RegisterFormat = 'esm' | 'cjs';

/** An artifact of the output. Names of files are paths from the register file, with `/`. */
export interface IndexedArtifact {
  name: string;
  manifest: ArtifactManifest;
  /** Present if the module may be split after training: see `reserveSplit`. */
  split: { manifestWidth: number } | undefined;
}

export interface RegisterIndex {
  artifacts: readonly IndexedArtifact[];
  addons: readonly (readonly [key: string, name: string, checksum: number])[];
  options: Pick<ResolvedOptions, 'verify' | 'fallback'>;
  recompile: { options: ResolvedRecompile; host: string; compiler: string } | undefined;
  /** Whether a training run may add modules: see {@link addDiscovered}. */
  trains: boolean;
}

/** Stands for the index in the bundled hook (src/runtime/node/register/main.ts). */
const INDEX = 'WASM_PRECOMPILE_INDEX';

const FILES: Readonly<Record<RegisterFormat, string>> = { esm: 'main-esm.js', cjs: 'main-cjs.cjs' };

/** Both from `src` (tests) and from `dist`. */
const FOLDER = new URL('../../../dist/register/', import.meta.url);

/** The name of the register file, at the root of an output. */
export function registerName(format: RegisterFormat): string {
  return `wasm-precompile-register.${format === 'esm' ? 'mjs' : 'cjs'}`;
}

export function isRegisterName(name: string): boolean {
  return name === registerName('esm') || name === registerName('cjs');
}

/** @throws WasmPrecompileError `UNREADABLE_FILE` if the package is incomplete */
export async function generateRegister(format: RegisterFormat, index: RegisterIndex): Promise<string> {
  const file = fileURLToPath(new URL(FILES[format], FOLDER));
  let hook;
  try {
    hook = await readFile(file, 'utf8');
  } catch (cause) {
    throw new WasmPrecompileError('UNREADABLE_FILE', `${file}: cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
  const expression = generateIndex(format, index);
  return hook.replace(INDEX, () => expression);
}

function generateIndex(
  format: RegisterFormat,
  { artifacts, addons, options, recompile, trains }: RegisterIndex,
): string {
  const urlOf = (name: string) => urlExpression(format, name);
  const binaries = addons.map(
    ([key, name, checksum]) => `    ${JSON.stringify(key)}: [${urlOf(name)}, ${checksum}],`,
  );
  const modules = artifacts.map(
    ({ name, manifest, split }) =>
      `    { url: ${urlOf(name)}, manifest: ${manifestExpression(manifest, split?.manifestWidth)} },`,
  );
  const programs = recompile && `host: ${urlOf(recompile.host)}, compiler: ${urlOf(recompile.compiler)}`;
  return `{
  ...${JSON.stringify({ verify: options.verify, fallback: options.fallback })},
${programs === undefined ? '' : `  recompile: { ...${JSON.stringify(recompile?.options)}, ${programs} },\n`}  addons: {
${binaries.join('\n')}
  },
  modules: [
${modules.join('\n')}
  ],
${trains ? `  discovered: { base: ${baseExpression(format)}, entries: '${artifacts.length > 0 ? UNDISCOVERED : NO_MODULE_YET}' },\n` : ''}}`;
}

/**
 * Stands for the modules that a training run compiles. Minifiers keep the contents of a string, and put one with double
 * quotes into other ones.
 */
const UNDISCOVERED = '["wasm-precompile: no training run yet"]';

/** The same, in a register file without any module. */
const NO_MODULE_YET = '["wasm-precompile: no module yet"]';

/** Names of files are those beside the register file. */
export interface DiscoveredArtifact {
  file: string;
  manifest: ArtifactManifest;
}

/**
 * Adds the modules that a training run compiled to the text of a register file. A file that has no module then becomes
 * empty: it costs a startup nothing.
 *
 * @returns undefined if another tool has rewritten the text
 */
export function addDiscovered(code: string, artifacts: readonly DiscoveredArtifact[]): string | undefined {
  const placeholder = [UNDISCOVERED, NO_MODULE_YET].find((text) => code.includes(text));
  if (placeholder === undefined) return undefined;
  if (artifacts.length === 0) return placeholder === UNDISCOVERED ? code : EMPTY_REGISTER;
  const entries = artifacts.map(
    ({ file, manifest }) => `[${JSON.stringify(encodePath(file))},${formatManifest(manifest)}]`,
  );
  return code.replace(placeholder, () => `[${entries.join(',')}]`);
}

/** A register file without effect. */
export const EMPTY_REGISTER = '// There is no module that this file would recognise.\n';

function baseExpression(format: RegisterFormat): string {
  return format === 'esm' ? 'import.meta.url' : 'require("node:url").pathToFileURL(__filename).href';
}

/** In a form that tools which copy files recognise (@vercel/nft, Nitro, bundlers). */
function urlExpression(format: RegisterFormat, name: string): string {
  return format === 'esm'
    ? `new URL(${JSON.stringify(`./${encodePath(name)}`)}, import.meta.url).href`
    : `require("node:url").pathToFileURL(__dirname + ${JSON.stringify(`/${name}`)}).href`;
}
