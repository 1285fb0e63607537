/** Farm. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve } from 'node:path';
import type { CompilationContext, JsPlugin } from '@farmfe/core';
import type { UnpluginOptions } from 'unplugin';
import type { WasmPlugin } from '../../build/plugin.ts';
import { runtimeFile } from '../../build/requests/runtime-modules.ts';
import type { BundlerContext, EmittedFile } from '../../build/bundler-context.ts';
import { encodePath } from '../../common/encode-path.ts';
import { RUNTIME_LOADING_TEXT } from '../../build/discover/find-runtime-loading.ts';
import type { Platform } from '../../build/codegen/module-source.ts';
import { parseScript, type ScriptLanguage } from '../../build/discover/parse-script.ts';
import { importsInCode } from '../../build/discover/external/imports-in-code.ts';
import type { GeneratedOutput } from '../../build/output/generated-output.ts';
import { hasSideEffects, splitRequest } from '../../build/requests/request.ts';
import { messageOf } from '../../common/error.ts';
import { sha256 } from '../../common/sha256.ts';
import { NAME } from '../../common/version.ts';
import { filesOnDisk } from '../files-on-disk.ts';

/** Stands for the relative path from a file of the output to the output folder, until that file is written. */
const ROOT = 'wasm-precompile-root:';

/** Kinds of imports that the import forms apply to. */
const KINDS = new Set<unknown>(['import', 'dynamicImport', 'require', 'exportFrom']);

/** A script of the output. */
const SCRIPT = /\.[cm]?js$/;

/** Languages of scripts: Farm keeps TypeScript until all plugins have run. */
const LANGUAGES: ScriptLanguage[] = ['js', 'jsx', 'ts', 'tsx'];

export function farmPlugins(plugin: WasmPlugin): UnpluginOptions[] {
  let root = '';
  let folder = '';
  let publicPath = '/';
  let pattern = withHash();
  let declared: Platform | undefined;
  let format = 'esm';
  let watchMode = false;
  let runs = 0;
  let last: Promise<void> = Promise.resolve();
  /** Files of the output, by name. */
  const emitted = new Map<string, { source: Uint8Array; digest: string }>();

  const contextOf = (context: CompilationContext | undefined, file = ''): BundlerContext => ({
    addWatchFile: (watched) => context?.addWatchFile(file, watched),
    warn: (message) => (context ? context.warn(message) : console.warn(`[${NAME}] warning: ${message}`)),
    info: (message) => console.error(`[${NAME}] ${message}`),
    resolve: async (request, importer) => {
      try {
        const found = await context?.resolve(
          {
            source: request,
            importer: importer === undefined ? null : relative(root, importer),
            kind: 'import',
          },
          { caller: NAME, meta: {} },
        );
        return found ? { id: found.resolvedPath, external: found.external === true } : null;
      } catch {
        return null;
      }
    },
    emit: (name, source): EmittedFile => {
      const digest = sha256(source).slice(0, 8);
      const fileName = fileNameOf(name, digest, pattern);
      // A dev server keeps its files in memory. In a build, this plugin writes them itself at the end: Farm takes
      // files as arrays of numbers, which need eight times the memory.
      if (plugin.settings.dev) {
        context?.emitFile({
          resolvedPath: `${file}/${fileName}`,
          name: fileName,
          content: [...source],
          resourceType: posix.extname(fileName).slice(1),
        });
      } else emitted.set(fileName, { source, digest });
      return { id: fileName, url: urlOf(fileName, plugin.platform(declared), publicPath) };
    },
    watchMode,
    platform: plugin.platform(declared),
    environment: '',
  });

  const describeGenerated = (scripts: readonly string[]): GeneratedOutput | string => {
    if (format !== 'esm' && format !== 'cjs') return `the output format "${format}" has no imports`;
    // Farm does not say which files are entries. The register file takes effect once, also if all scripts import it.
    return {
      format,
      imports: scripts.flatMap((name) => {
        const file = join(folder, name);
        return importsInCode(readFileSync(file, 'utf8'), [dirname(file), root]);
      }),
      entries: scripts,
      nameAsset: (name, digest) => fileNameOf(name, digest, pattern),
      ...filesOnDisk(folder),
    };
  };

  const finish = async (
    context: BundlerContext,
    names: readonly string[],
    scripts: readonly string[],
    files: ReadonlyMap<string, { digest: string }>,
  ) => {
    plugin.startOutput(folder, undefined);
    const added = await plugin.addRegister(context, describeGenerated(scripts));
    await plugin.train(context, {
      folder,
      // The positions of hashes in other names do not matter: names are kept.
      files: () => [...names.map((name) => ({ name, hash: undefined })), ...added],
      find: (name) => {
        const file = files.get(name);
        return file
          ? { name, hash: { start: name.lastIndexOf(file.digest), length: file.digest.length } }
          : added.find((each) => each.name === name);
      },
      keepNames: 'the bundler has already reported them',
      update: () => {},
    });
    await plugin.summarize(context, folder);
  };

  const farm: Partial<JsPlugin> = {
    configResolved(config) {
      const { compilation, watch } = config as Config;
      root = resolve(config.root ?? process.cwd());
      const {
        path = 'dist',
        targetEnv = 'browser',
        publicPath: base,
        format: declaredFormat = 'esm',
        assetsFilename,
      } = compilation?.output ?? {};
      pattern = withHash(assetsFilename);
      format = declaredFormat;
      plugin.settings = { ...plugin.settings, library: targetEnv.startsWith('library') };
      folder = resolve(root, path);
      declared = targetEnv.startsWith('library')
        ? targetEnv === 'library-browser'
          ? 'browser'
          : 'node'
        : targetEnv.startsWith('node')
          ? 'node'
          : 'browser';
      publicPath = base ?? '/';
      watchMode = Boolean(watch);
    },
    configureDevServer() {
      plugin.settings = { ...plugin.settings, dev: true };
    },
    buildStart: {
      executor: (_, context) => {
        plugin.start(contextOf(context));
      },
    },
    resolve: {
      filters: { sources: [String.raw`\.wasm(\?.*)?$`, '^wasm-precompile:'], importers: ['.*'] },
      async executor({ source, importer, kind }, context, hookContext) {
        if (hookContext?.caller === NAME) return null;
        const runtime = runtimeFile(source);
        if (runtime !== undefined) return resolvedTo(runtime);
        if (!KINDS.has(kind)) return null;
        const from = importer === null ? undefined : resolve(root, importer);
        const id = await plugin.resolve(contextOf(context), source, from);
        return typeof id === 'string' ? resolvedTo(id) : null;
      },
    },
    load: {
      filters: { resolvedPaths: [String.raw`\.wasm`] },
      async executor({ resolvedPath, query }, context) {
        const search = query.map(([name, value]) => (value ? `${name}=${value}` : name)).join('&');
        const id = search === '' ? resolvedPath : `${resolvedPath}?${search}`;
        const content = await plugin.load(contextOf(context, resolvedPath), id);
        return content === undefined ? null : { content, moduleType: 'js' };
      },
    },
    // Farm does not await this hook: files are written synchronously first, and asynchronous work follows.
    writeResources: {
      executor({ resourcesMap }) {
        const names = Object.values(resourcesMap).map(({ name }) => name);
        const scripts = Object.values(resourcesMap)
          .filter(({ name, origin }) => SCRIPT.test(name) && origin.type === 'ResourcePot')
          .map(({ name }) => name);
        const files = new Map(emitted);
        emitted.clear();
        for (const name of names) replaceRoot(folder, name);
        for (const [name, { source }] of files) write(join(folder, name), source);
        runs++;
        const run = runs;
        // One run after another, and only the newest: Farm may have written the files again meanwhile.
        const before = last;
        last = (async () => {
          await before;
          const context = contextOf(undefined);
          try {
            if (run === runs) await finish(context, names, scripts, files);
          } catch (error) {
            plugin.warn(context, messageOf(error));
          }
        })();
      },
    },
  };
  const runtimeLoading: Partial<JsPlugin> = {
    transform: {
      filters: { moduleTypes: LANGUAGES },
      async executor({ content, resolvedPath, moduleType }, context) {
        if (!RUNTIME_LOADING_TEXT.test(content)) return null;
        const changed = await plugin.rewriteRuntimeLoading(
          contextOf(context, resolvedPath),
          content,
          resolvedPath,
          {
            parse: (text) => parseScript(text, moduleType as ScriptLanguage),
            commonJs: true,
            hasNode: true,
          },
        );
        return changed ? { content: changed.code, sourceMap: changed.map.toString() } : null;
      },
    },
  };
  return [
    { name: NAME, enforce: 'pre', farm },
    { name: `${NAME}:runtime-loading`, enforce: 'post', farm: runtimeLoading },
  ];
}

/** What is used of Farm's configuration. */
interface Config {
  watch?: unknown;
  compilation?: {
    output?: {
      path?: string;
      targetEnv?: string;
      format?: string;
      publicPath?: string;
      assetsFilename?: string;
    };
  };
}

function resolvedTo(id: string) {
  const { file, query } = splitRequest(id);
  return {
    resolvedPath: file,
    query: [...new URLSearchParams(query)] as [string, string][],
    sideEffects: hasSideEffects(id),
    external: false,
    meta: {},
  };
}

/** Adds a hash to a pattern without one: several modules of one name would have the same file. */
function withHash(pattern = '[resourceName].[ext]'): string {
  return /\[(hash|contentHash)\]/.test(pattern) ? pattern : pattern.replace('.[ext]', '-[hash].[ext]');
}

function fileNameOf(name: string, digest: string, pattern: string): string {
  const extension = posix.extname(name);
  return pattern
    .replaceAll('[resourceName]', () => name.slice(0, -extension.length))
    .replaceAll('[ext]', extension.slice(1))
    .replaceAll(/\[(hash|contentHash)\]/g, digest);
}

function urlOf(fileName: string, platform: Platform, publicPath: string): string {
  const url = encodePath(fileName);
  return platform === 'browser'
    ? `new URL(${JSON.stringify(`${publicPath}${url}`)}, location.href).href`
    : // Farm itself resolves the file of an expression `new URL(…)`.
      `new globalThis.URL(${JSON.stringify(`${ROOT}${url}`)}, import.meta.url).href`;
}

/** Replaces {@link ROOT} in a file that Farm has written. */
function replaceRoot(folder: string, name: string): void {
  if (!SCRIPT.test(name)) return;
  const file = join(folder, name);
  const code = readFileSync(file, 'utf8');
  if (!code.includes(ROOT)) return;
  const path = posix.relative(posix.dirname(`/${name}`), '/');
  write(file, code.replaceAll(ROOT, path === '' ? './' : `${path}/`));
}

function write(file: string, contents: string | Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${randomUUID()}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, file);
}
