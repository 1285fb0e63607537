/** Where a page gets a module from: emits the files of each delivery. */
import { createHash } from 'node:crypto';
import { packForBrowsers } from '../../artifact/pack.ts';
import type { FetchOptions } from '../../runtime/browser/load.ts';
import { PRODUCER } from '../../common/version.ts';
import { interfaceOf } from '../../wasm/binary/module.ts';
import type { BundlerContext } from '../bundler-context.ts';
import type { EnvironmentOutput } from './environment-output.ts';
import type { FetchedSource, ModuleSource } from '../codegen/generate.ts';
import type { ResolvedOptions } from '../options/options.ts';
import type { SourceModule } from '../compile/pipeline.ts';
import type { SplitModules } from '../compile/splitting.ts';

export interface Emitter {
  context: BundlerContext;
  output: EnvironmentOutput;
  web: ResolvedOptions['web'];
}

/**
 * All files are named `.wasm`: static hosts then answer with `application/wasm`, without which nothing is compiled as it
 * comes in.
 */
export function browserSource(emitter: Emitter, source: SourceModule): FetchedSource {
  switch (emitter.web.delivery) {
    case 'stream':
      return plainFile(emitter, source);
    case 'range':
      return ranges(emitter, source)[0];
    case 'inflate':
      return inflated(emitter, source);
  }
}

/**
 * The same for a split module. With `range` all parts are in one file; else each has files of its own, since a start reads the
 * file of the primary to its end. The whole module is a plain file, for those who need it.
 *
 * @param warn whether calls that have to wait for their part say so in the console
 */
export function browserSplitSource(
  emitter: Emitter,
  source: SourceModule,
  parts: SplitModules,
  warn: boolean,
): ModuleSource {
  const primary = { ...source, wire: parts.primary };
  const secondaries = parts.secondaries.map((wire, index) => ({
    ...source,
    name: `${source.name}.part${index + 1}`,
    wire,
  }));
  const [first, ...others] =
    emitter.web.delivery === 'range'
      ? ranges(emitter, source, parts)
      : [browserSource(emitter, primary), ...secondaries.map((part) => browserSource(emitter, part))];
  return {
    kind: 'parts',
    url: first.url,
    primary: first,
    secondaries: secondaries.flatMap(({ wire }, index) => {
      const part = others[index];
      return part
        ? [{ source: part, sha256: emitter.web.integrity ? hashOf('sha256', wire) : undefined }]
        : [];
    }),
    whole: plainFile(emitter, { ...source, name: `${source.name}.whole` }),
    warn,
  };
}

/** What the summary tells. */
export const DELIVERED: Readonly<Record<ResolvedOptions['web']['delivery'], string>> = {
  stream: 'for a browser',
  range: 'for a browser, in an ELF file',
  inflate: 'for a browser, compressed in an ELF file',
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
  const { bytes, part } = packForBrowsers(contentsOf(source), true);
  return {
    kind: 'inflate',
    url: emit(emitter, name, bytes),
    part: [part.offset, part.size],
    plain: emit(emitter, name, wire),
    options: optionsOf(emitter, source, bytes),
  };
}

/** The module in one file, or its parts: the primary, then the secondaries. */
function ranges(
  emitter: Emitter,
  source: SourceModule,
  parts?: SplitModules,
): [FetchedSource, ...FetchedSource[]] {
  const split = parts && {
    ...parts,
    full: undefined,
    secondaries: parts.secondaries.map((wire) => ({ wire, native: [] })),
  };
  const { bytes, part, more } = packForBrowsers({ ...contentsOf(source), split }, false);
  const url = emit(emitter, source.name, bytes);
  const range = ({ offset, size }: { offset: number; size: number }): FetchedSource => ({
    kind: 'range',
    url,
    part: [offset, size],
    // Servers send the part, or all of the file.
    options: optionsOf(emitter, source, bytes.subarray(offset, offset + size), bytes),
  });
  return [range(part), ...more.map(range)];
}

function emit({ context, output }: Emitter, name: string, bytes: Uint8Array): string {
  return output.emit(context, `${name}.wasm`, bytes);
}

/** @param answers what a server may answer with */
function optionsOf(
  { web }: Emitter,
  { builtins }: SourceModule,
  ...answers: readonly Uint8Array[]
): FetchOptions {
  const options: FetchOptions = builtins ? { builtins: builtins.constantsModule } : {};
  if (!web.integrity) return options;
  // Subresource integrity (https://www.w3.org/TR/SRI/): any of the hashes will do.
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
