/**
 * The register hook of a program that no bundler has built: `node --import unplugin-wasm-precompile/register`. It
 * finds the folder that `wasm-precompile app` has written. Whatever goes wrong, the program runs as without it.
 */
import { builtin } from '../builtin.ts';
import { reportFallback } from '../fallback.ts';
import { isTrustedFolder, withTrustedFile } from '../trust.ts';
import { APP_FOLDER, APP_FORMAT, APP_INDEX, APP_VARIABLE, type AppIndex } from './app-index.ts';
import { register } from './index.ts';

const { existsSync, readFileSync, realpathSync } = builtin('node:fs');
const { basename, dirname, isAbsolute, join } = builtin('node:path');
const { pathToFileURL } = builtin('node:url');

const AGAIN = 'Run `wasm-precompile app` again.';

/** @returns undefined if there is none */
function findFolder(): string | undefined {
  const given = process.env[APP_VARIABLE];
  if (given !== undefined && given !== '') {
    if (!isAbsolute(given)) throw new Error(`${APP_VARIABLE} must be an absolute path, found ${given}`);
    return given;
  }
  const [, script] = process.argv;
  // Node makes the path of a script absolute. After `node -e` and `node -` there are arguments of the program here.
  const { _eval: code } = process as { _eval?: string };
  if (script === undefined || !isAbsolute(script) || code !== undefined) return undefined;
  // The search ends at the root of the package: what is above belongs to others.
  for (let folder = dirname(realScript(script)); ; folder = dirname(folder)) {
    const found = join(folder, APP_FOLDER);
    if (existsSync(found)) return found;
    if (folder === dirname(folder) || existsSync(join(folder, 'package.json'))) return undefined;
  }
}

/** Node also accepts a name without extension. */
function realScript(script: string): string {
  try {
    return realpathSync(script);
  } catch {
    return script;
  }
}

function readIndex(folder: string): AppIndex {
  isTrustedFolder(folder);
  const text = withTrustedFile(join(folder, APP_INDEX), (fd) => readFileSync(fd, 'utf8'));
  const index = JSON.parse(text) as AppIndex;
  if (index.format !== APP_FORMAT) throw new Error(`${folder} was written by another version`);
  return index;
}

/** @throws Error if another user may write to it, or if it is outside of the folder */
function urlOf(folder: string, name: string): string {
  if (basename(name) !== name) throw new Error(`${name} is no file name`);
  const file = join(folder, name);
  return withTrustedFile(file, () => pathToFileURL(file).href);
}

function registerApp(): void {
  let folder: string | undefined;
  try {
    folder = findFolder();
    if (folder === undefined) return;
    const { addons, modules } = readIndex(folder);
    const at = folder;
    register({
      verify: true,
      fallback: 'warn',
      addons: Object.fromEntries(
        Object.entries(addons).map(([key, [name, checksum]]) => [key, [urlOf(at, name), checksum]]),
      ),
      modules: modules.flatMap(({ file, manifest }) => {
        try {
          return [{ url: urlOf(at, file), manifest }];
        } catch (error) {
          reportFallback('warn', join(at, file), (error as Error).message, AGAIN);
          return [];
        }
      }),
    });
  } catch (error) {
    reportFallback('warn', folder ?? APP_FOLDER, (error as Error).message, AGAIN);
  }
}

registerApp();
