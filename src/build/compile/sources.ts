/** Where glue code gets a module from: as an artifact, as plain wasm or from the JavaScript itself. Emits what that takes. */
import { pathToFileURL } from 'node:url';
import { packArtifact } from '../../artifact/pack.ts';
import { RECOMPILE_HOST_FILE, HOST_FILE } from '../../v8/host-process.ts';
import { checksum } from '../../runtime/node/checksum.ts';
import type { CompileOptions } from '../../runtime/shared/module-handle.ts';
import type { BuildReport } from '../output/build-report.ts';
import type { BundlerContext, BundlerSettings } from '../bundler-context.ts';
import type { EnvironmentOutput } from '../output/environment-output.ts';
import type { ModuleSource, Platform } from '../codegen/generate.ts';
import { reserveSplit } from '../codegen/manifest-text.ts';
import type { ResolvedOptions } from '../options/options.ts';
import { describeBuiltins, type Pipeline, readBytes, type SourceModule } from './pipeline.ts';
import { secondariesLimit, type SplitModules } from './splitting.ts';
import { describeContents, describeForBrowsers, formatSize } from '../output/summary.ts';
import { DELIVERED, browserSplitSource, browserSource } from '../output/browser-files.ts';

/** What a module is loaded for. */
export interface Place {
  context: BundlerContext;
  settings: BundlerSettings;
  platform: Platform;
  output: EnvironmentOutput;
}

export interface SourcesSetup {
  options: ResolvedOptions;
  pipeline: Pipeline;
  /** Whether artifacts will be trained once they are written. */
  training: boolean;
  report: BuildReport | undefined;
  warn: (message: string) => void;
}

type Artifact = Extract<ModuleSource, { kind: 'artifact' }>;

/** A plain wasm file in the output, with its URL as an expression. */
export interface FileSource {
  url: string;
  artifact: Artifact | undefined;
}

export class Sources {
  readonly #setup: SourcesSetup;

  constructor(setup: SourcesSetup) {
    this.#setup = setup;
  }

  async choose(place: Place, source: SourceModule): Promise<ModuleSource> {
    const { options, warn } = this.#setup;
    const { dev } = place.settings;
    const compileOptions = source.builtins ? { builtins: source.builtins.constantsModule } : {};
    if (this.#isInlined(place, source)) {
      place.output.note(source, { kind: 'inlined' });
      return {
        kind: 'inline',
        base64: Buffer.from(source.wire).toString('base64'),
        options: compileOptions,
      };
    }
    if (dev) return plainSource(place, source, compileOptions);
    if (isForBrowsers(place)) {
      const { context, output, settings } = place;
      const { web } = options;
      const parts = await this.partsOf(place, source);
      const how = DELIVERED[web.delivery];
      output.note(
        source,
        describeForBrowsers(how, source, parts, this.#setup.pipeline.unsplitReason(source)),
      );
      const emitter = { context, output, web };
      if (!parts) return browserSource(emitter, source);
      return browserSplitSource(emitter, source, parts, settings.web?.development ?? false);
    }
    const why = place.settings.plain ?? this.#whyPlain(source);
    if (why !== undefined) {
      if (source.builtins && !place.settings.plain) warn(describeBuiltins(source));
      place.output.note(source, { kind: 'plain', why });
      return plainSource(place, source, compileOptions);
    }
    return this.#artifact(place, source, true);
  }

  /** The parts of a module that a page loads; undefined where it is whole. */
  async partsOf(place: Place, source: SourceModule): Promise<SplitModules | undefined> {
    if (!isForBrowsers(place) || place.settings.dev || this.#isInlined(place, source)) return undefined;
    return this.#setup.pipeline.splitForBrowsers(source);
  }

  #isInlined({ settings }: Place, { file, wire }: SourceModule): boolean {
    const limit = this.#setup.options.inline ?? settings.inlineLimit(file, wire);
    return !settings.dev && wire.length < limit;
  }

  /** The file itself, for code that loads it by itself, and its artifact where it gets native code. */
  async chooseForFile(place: Place, source: SourceModule): Promise<FileSource> {
    const url = place.output.emit(place.context, `${source.name}.wasm`, source.wire);
    const why = this.#whyPlain(source);
    if (why === undefined) return { url, artifact: await this.#artifact(place, source, false) };
    place.output.note(source, { kind: 'plain', why });
    return { url, artifact: undefined };
  }

  async #artifact(place: Place, source: SourceModule, imported: boolean): Promise<Artifact> {
    const { context, output } = place;
    const { pipeline, report, training, warn } = this.#setup;
    const { verify, fallback, recompile: heal } = this.#setup.options;
    const contents = await pipeline.compile(source, true);
    output.note(source, describeContents(contents, pipeline.unsplitReason(source)));
    const { bytes, manifest } = packArtifact(contents);
    report?.add(manifest);
    const untrained = training && !context.watchMode;
    if (training && !untrained) warn('Nothing is trained in watch mode: native code holds all functions.');
    const parts = untrained ? secondariesLimit(source, this.#setup.options.split) : 0;
    const split = manifest.split || parts > 0 ? { mapWidth: reserveSplit(manifest, parts) } : undefined;
    const url = untrained
      ? output.emitUntrained(context, bytes, { source, contents, manifest, split, imported })
      : output.emit(context, `${source.name}.elf`, bytes);
    return {
      kind: 'artifact',
      url,
      manifest,
      split,
      options: { verify, fallback },
      addons: await this.#addons(place),
      recompile: heal && {
        options: heal,
        host: output.emit(context, 'wasm-precompile-recompile.mjs', await readBytes(RECOMPILE_HOST_FILE)),
        compiler: output.emit(context, 'wasm-precompile-compile.mjs', await readBytes(HOST_FILE)),
      },
    };
  }

  async #addons({ context, output }: Place): Promise<Artifact['addons']> {
    const { options, pipeline } = this.#setup;
    const files = await pipeline.addons(options.recompile !== undefined);
    return Promise.all(
      [...files].map(async ([key, file]): Promise<[string, string, number]> => {
        const binary = await readBytes(file);
        return [key, output.emit(context, `wasm-precompile-${key}.node`, binary), checksum(binary)];
      }),
    );
  }

  /** Why a build ships a module as plain wasm; undefined where it gets native code. */
  #whyPlain({ builtins, wire }: SourceModule): string | undefined {
    const { threshold } = this.#setup.options;
    if (builtins) return 'it uses JS string builtins';
    return wire.length < threshold ? `below the threshold of ${formatSize(threshold)}` : undefined;
  }
}

function isForBrowsers({ platform, settings }: Place): boolean {
  return platform === 'browser' && !settings.plain;
}

/** A module as plain wasm. */
export function plainSource(
  { context, settings, platform, output }: Place,
  { file, name, wire }: Pick<SourceModule, 'file' | 'name' | 'wire'>,
  options: CompileOptions,
): ModuleSource {
  const { dev, urlImports } = settings;
  if (dev && platform === 'node') {
    return { kind: 'file', url: JSON.stringify(pathToFileURL(file).href), options };
  }
  if (dev && urlImports) {
    // The limit for inlining was looked at before, and may be another one than Vite's.
    return { kind: 'url-import', request: `${file}?url&no-inline`, options };
  }
  return { kind: 'file', url: output.emit(context, `${name}.wasm`, wire), options };
}
