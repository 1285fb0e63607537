/**
 * The file that a program imports first: the register hook (src/runtime/node/register.ts) and the index of this
 * build.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { encodePath } from '../../common/encode-path.ts';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import type { ArtifactManifest } from '../../runtime/shared/manifest.ts';
import type { ResolvedOptions, ResolvedRecompile } from '../options/resolve.ts';
import { manifestExpression } from './manifest-text.ts';

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
}

const FILES: Readonly<Record<RegisterFormat, string>> = { esm: 'esm.js', cjs: 'cjs.cjs' };

/** Both from `src` (tests) and from `dist`. */
const FOLDER = new URL('../../../dist/register/', import.meta.url);

/** The name of the register file, at the root of an output. */
export function registerName(format: RegisterFormat): string {
  return `wasm-precompile-register.${format === 'esm' ? 'mjs' : 'cjs'}`;
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
  return `${hook.trimEnd()}\n${generateCall(format, index)}`;
}

function generateCall(
  format: RegisterFormat,
  { artifacts, addons, options, recompile }: RegisterIndex,
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
  return `register({
  ...${JSON.stringify({ verify: options.verify, fallback: options.fallback })},
${programs === undefined ? '' : `  recompile: { ...${JSON.stringify(recompile?.options)}, ${programs} },\n`}  addons: {
${binaries.join('\n')}
  },
  modules: [
${modules.join('\n')}
  ],
});
`;
}

/** In a form that tools which copy files recognise (@vercel/nft, Nitro, bundlers). */
function urlExpression(format: RegisterFormat, name: string): string {
  return format === 'esm'
    ? `new URL(${JSON.stringify(`./${encodePath(name)}`)}, import.meta.url).href`
    : `require("node:url").pathToFileURL(__dirname + ${JSON.stringify(`/${name}`)}).href`;
}
