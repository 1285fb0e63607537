/** Emits the files that a page loads a module from, for each value of the option `web.delivery`. */
import { createHash } from 'node:crypto';
import { packForBrowsers } from '../../artifact/pack.ts';
import { PRODUCER } from '../../common/version.ts';
import type { FetchOptions } from '../../runtime/browser/load.ts';
import { interfaceOf } from '../../wasm/binary/module.ts';
import type { BundlerContext } from '../bundler-context.ts';
import type { FetchedSource, ModuleSource } from '../codegen/module-source.ts';
import type { SourceModule } from '../compile/read-source.ts';
import type { SplitModules } from '../compile/splitting.ts';
import type { ResolvedOptions } from '../options/resolve.ts';
import type { EnvironmentOutput } from './environment-output.ts';

export interface Emitter {
  context: BundlerContext;
  output: EnvironmentOutput;
  web: ResolvedOptions['web'];
}

/**
 * Emits a module that is not split. All files are named `.wasm`, also ELF files: static hosts then answer with
 * `application/wasm`, which streaming compilation requires.
 */
export function browserSource(emitter: Emitter, source: SourceModule): FetchedSource {
  switch (emitter.web.delivery) {
    case 'stream':
      return plainFile(emitter, source);
    case 'range':
      return rangesOf(emitter, source)[0];
    case 'inflate':
      return inflated(emitter, source);
  }
}

/**
 * Emits a split module. With `range`, one file holds the primary and secondary modules; else each has a file of its
 * own, since a startup reads the file of the primary module to its end. The original module is a plain file, for
 * browsers that cannot use the split one.
 *
 * @param warn whether the console shows each call that blocks until its secondary module is loaded
 */
export function browserSplitSource(
  emitter: Emitter,
  source: SourceModule,
  split: SplitModules,
  warn: boolean,
): ModuleSource {
  const named = (suffix: string, wire: Uint8Array) => ({ ...source, name: `${source.name}.${suffix}`, wire });
  const [primary, ...others] =
    emitter.web.delivery === 'range'
      ? rangesOf(emitter, source, split)
      : [
          browserSource(emitter, named('primary', split.primary)),
          ...split.secondaries.map((wire, index) =>
            browserSource(emitter, named(`secondary-${index + 1}`, wire)),
          ),
        ];
  return {
    kind: 'split',
    url: primary.url,
    primary,
    secondaries: split.secondaries.flatMap((wire, index) => {
      const secondary = others[index];
      return secondary
        ? [{ source: secondary, sha256: emitter.web.integrity ? hashOf('sha256', wire) : undefined }]
        : [];
    }),
    original: plainFile(emitter, source),
    warn,
  };
}

/** Descriptions for the build summary. */
export const DELIVERED: Readonly<Record<ResolvedOptions['web']['delivery'], string>> = {
  stream: 'compiled in the browser',
  range: 'compiled in the browser, from an ELF file',
  inflate: 'compiled in the browser, from a compressed ELF file',
};

function plainFile(emitter: Emitter, source: SourceModule): FetchedSource {
  const { name, wire } = source;
  return {
    kind: 'file',
    url: emit(emitter, name, wire),
    options: optionsOf(emitter, source, wire),
  };
}

function inflated(emitter: Emitter, source: SourceModule): FetchedSource {
  const { name, wire } = source;
  const { bytes, wire: range } = packForBrowsers(contentsOf(source), true);
  return {
    kind: 'inflate',
    url: emit(emitter, name, bytes),
    range: [range.offset, range.size],
    plain: emit(emitter, name, wire),
    options: optionsOf(emitter, source, bytes),
  };
}

/** Ranges of one file: the module, or the primary module followed by the secondary modules. */
function rangesOf(
  emitter: Emitter,
  source: SourceModule,
  split?: SplitModules,
): [FetchedSource, ...FetchedSource[]] {
  const contents = {
    ...contentsOf(source),
    split: split && {
      ...split,
      full: undefined,
      secondaries: split.secondaries.map((wire) => ({ wire, native: [] })),
    },
  };
  const { bytes, wire, secondaries } = packForBrowsers(contents, false);
  const url = emit(emitter, split ? `${source.name}.split` : source.name, bytes);
  const range = ({ offset, size }: { offset: number; size: number }): FetchedSource => ({
    kind: 'range',
    url,
    range: [offset, size],
    // A server that ignores ranges sends the complete file.
    options: optionsOf(emitter, source, bytes.subarray(offset, offset + size), bytes),
  });
  return [range(wire), ...secondaries.map(range)];
}

function emit({ context, output }: Emitter, name: string, bytes: Uint8Array): string {
  return output.emit(context, `${name}.wasm`, bytes);
}

/** @param answers the possible response bodies of a server */
function optionsOf(
  { web }: Emitter,
  { builtins }: SourceModule,
  ...answers: readonly Uint8Array[]
): FetchOptions {
  const options: FetchOptions = builtins ? { builtins: builtins.constantsModule } : {};
  if (!web.integrity) return options;
  // Subresource integrity accepts a response that matches any of the hashes (https://www.w3.org/TR/SRI/).
  const hashes = answers.map((bytes) => `sha384-${hashOf('sha384', bytes)}`);
  return { ...options, integrity: hashes.join(' ') };
}

function contentsOf({ name, sha256, wire, module }: SourceModule) {
  return {
    producer: PRODUCER,
    name,
    sourceSha256: sha256,
    wire,
    interface: interfaceOf(module),
    functionNames: new Map<number, string>(),
  };
}

function hashOf(algorithm: 'sha256' | 'sha384', bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('base64');
}
