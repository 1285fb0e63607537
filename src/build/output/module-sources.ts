/**
 * Emits the files of a module in the form that the build decided on, and returns the source that generated code
 * loads the module from.
 */
import { pathToFileURL } from 'node:url';
import { packArtifact } from '../../artifact/pack.ts';
import { checksum } from '../../runtime/node/checksum.ts';
import type { CompileOptions } from '../../runtime/shared/module-handle.ts';
import { HOST_FILE, RECOMPILE_HOST_FILE } from '../../v8/host-process.ts';
import type { BundlerContext, BundlerSettings } from '../bundler-context.ts';
import type { ArtifactSource, ModuleSource, Platform } from '../codegen/module-source.ts';
import { reserveSplit } from '../codegen/manifest-text.ts';
import { decide, type Decision } from '../compile/decide.ts';
import type { Pipeline } from '../compile/pipeline.ts';
import { readBytes, type SourceModule } from '../compile/read-source.ts';
import { secondariesLimit, type SplitModules } from '../compile/splitting.ts';
import type { ResolvedOptions } from '../options/resolve.ts';
import { browserSource, browserSplitSource, DELIVERED } from './browser-files.ts';
import type { BuildReport } from './build-report.ts';
import type { EnvironmentOutput } from './environment-output.ts';
import { describeContents, describeForBrowsers } from './summary.ts';

/** The load of a module: the bundler, its settings, the platform and the output. */
export interface LoadContext {
  context: BundlerContext;
  settings: BundlerSettings;
  platform: Platform;
  output: EnvironmentOutput;
}

export interface SourcesSetup {
  options: ResolvedOptions;
  pipeline: Pipeline;
  /** Whether the build trains artifacts after it has written them. */
  training: boolean;
  report: BuildReport | undefined;
  warn: (message: string) => void;
}

export class ModuleSources {
  readonly #setup: SourcesSetup;

  constructor(setup: SourcesSetup) {
    this.#setup = setup;
  }

  /** Emits the files of a module that is imported. */
  async emit(load: LoadContext, source: SourceModule): Promise<ModuleSource> {
    const options = compileOptionsOf(source);
    const decision = this.#decide(load, source);
    switch (decision.kind) {
      case 'dev':
        return plainSource(load, source, options);
      case 'inline':
        load.output.note(source, { kind: 'inlined' });
        return { kind: 'inline', base64: Buffer.from(source.wire).toString('base64'), options };
      case 'browser':
        return this.#forBrowsers(load, source);
      case 'startup':
        if (decision.warning !== undefined) this.#setup.warn(decision.warning);
        load.output.note(source, decision);
        return plainSource(load, source, options);
      case 'precompile':
        return this.#artifact(load, source, true);
    }
  }

  /** The split module that a page loads; undefined if the module is not split. */
  async splitFor(load: LoadContext, source: SourceModule): Promise<SplitModules | undefined> {
    if (this.#decide(load, source).kind !== 'browser') return undefined;
    return this.#setup.pipeline.splitForBrowsers(source);
  }

  /** Emits what all artifacts of an output need: the addon's binaries, and what compiles on the device. */
  async emitShared(load: LoadContext): Promise<Pick<ArtifactSource, 'addons' | 'recompile'>> {
    const { context, output } = load;
    const { recompile } = this.#setup.options;
    return {
      addons: await this.#addons(load),
      recompile: recompile && {
        options: recompile,
        host: output.emit(context, 'wasm-precompile-recompile.mjs', await readBytes(RECOMPILE_HOST_FILE)),
        compiler: output.emit(context, 'wasm-precompile-compile.mjs', await readBytes(HOST_FILE)),
      },
    };
  }

  /** Emits the artifact of a module that the register file recognises. */
  emitRecognised(load: LoadContext, source: SourceModule): Promise<ArtifactSource> {
    return this.#artifact(load, source, false);
  }

  #decide({ platform, settings }: LoadContext, source: SourceModule): Decision {
    const { inline, threshold } = this.#setup.options;
    const inlineLimit = inline ?? settings.inlineLimit(source.file, source.wire);
    return decide(source, { ...settings, platform, inlineLimit, threshold });
  }

  async #forBrowsers(load: LoadContext, source: SourceModule): Promise<ModuleSource> {
    const { context, output, settings } = load;
    const { options, pipeline } = this.#setup;
    const { web } = options;
    const split = await pipeline.splitForBrowsers(source);
    const how = DELIVERED[web.delivery];
    output.note(source, describeForBrowsers(how, source, split, pipeline.unsplitReason(source)));
    const emitter = { context, output, web };
    return split
      ? browserSplitSource(emitter, source, split, settings.web?.development ?? false)
      : browserSource(emitter, source);
  }

  /** @param imported whether the program imports the module, instead of loading the file itself */
  async #artifact(load: LoadContext, source: SourceModule, imported: boolean): Promise<ArtifactSource> {
    const { context, output } = load;
    const { options, pipeline, report, training, warn } = this.#setup;
    const contents = await pipeline.compile(source, true);
    output.note(source, describeContents(contents, pipeline.unsplitReason(source)));
    const { bytes, manifest } = packArtifact(contents);
    report?.add(manifest);
    const untrained = training && !context.watchMode;
    if (training && !untrained) {
      warn('Training does not run in watch mode: native code holds all functions.');
    }
    const secondaries = untrained ? secondariesLimit(source, options.split) : 0;
    const split =
      manifest.split || secondaries > 0 ? { manifestWidth: reserveSplit(manifest, secondaries) } : undefined;
    const url = untrained
      ? output.emitUntrained(context, bytes, { source, contents, manifest, split, imported })
      : output.emit(context, `${source.name}.elf`, bytes);
    return {
      kind: 'artifact',
      url,
      manifest,
      split,
      options: { verify: options.verify, fallback: options.fallback },
      ...(await this.emitShared(load)),
    };
  }

  async #addons({ context, output }: LoadContext): Promise<ArtifactSource['addons']> {
    const { options, pipeline } = this.#setup;
    const files = await pipeline.addons(options.recompile !== undefined);
    return Promise.all(
      [...files].map(async ([key, file]): Promise<[string, string, number]> => {
        const binary = await readBytes(file);
        return [key, output.emit(context, `wasm-precompile-${key}.node`, binary), checksum(binary)];
      }),
    );
  }
}

/** A module without native code. */
export function plainSource(
  { context, settings, platform, output }: LoadContext,
  { file, name, wire }: Pick<SourceModule, 'file' | 'name' | 'wire'>,
  options: CompileOptions,
): ModuleSource {
  const { dev, urlImports } = settings;
  if (dev && platform === 'node') {
    return { kind: 'file', url: JSON.stringify(pathToFileURL(file).href), options };
  }
  if (dev && urlImports) {
    // The option `inline`, which may differ from Vite's own limit, has already been applied.
    return { kind: 'url-import', request: `${file}?url&no-inline`, options };
  }
  return { kind: 'file', url: output.emit(context, `${name}.wasm`, wire), options };
}

function compileOptionsOf({ builtins }: SourceModule): CompileOptions {
  return builtins ? { builtins: builtins.constantsModule } : {};
}
