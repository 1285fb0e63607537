/** Where a page gets a module from: emits the file of each delivery. */
import { createHash } from 'node:crypto';
import { packForBrowsers } from '../artifact/pack.ts';
import type { WebOptions } from '../runtime/web.ts';
import { PRODUCER } from '../version.ts';
import { interfaceOf } from '../wasm/module.ts';
import type { BundlerContext } from './bundler-context.ts';
import type { EnvironmentOutput } from './environment-output.ts';
import type { ModuleSource } from './glue.ts';
import type { ResolvedOptions } from './options.ts';
import type { SourceModule } from './pipeline.ts';

/**
 * All files are named `.wasm`: static hosts then answer with `application/wasm`, without which nothing is compiled as it
 * comes in.
 */
export function webSource(
  { context, output }: { context: BundlerContext; output: EnvironmentOutput },
  source: SourceModule,
  { delivery, integrity }: ResolvedOptions['web'],
): ModuleSource {
  const { name, wire } = source;
  const file = `${name}.wasm`;
  const options: WebOptions = source.builtins ? { builtins: source.builtins.constantsModule } : {};
  const withIntegrity = (...contents: Uint8Array[]): WebOptions =>
    integrity ? { ...options, integrity: contents.map(hashOf).join(' ') } : options;
  if (delivery === 'stream') {
    return { kind: 'file', url: output.emit(context, file, wire), options: withIntegrity(wire) };
  }
  const { bytes, part } = packForBrowsers(contentsOf(source), delivery === 'inflate');
  const segment = { url: output.emit(context, file, bytes), part: [part.offset, part.size] as const };
  return delivery === 'range'
    ? // Servers send the part, or all of the file.
      { kind: 'range', ...segment, options: withIntegrity(wire, bytes) }
    : {
        kind: 'inflate',
        ...segment,
        plain: output.emit(context, file, wire),
        options: withIntegrity(bytes),
      };
}

/** What `outcome` the summary tells. */
export const DELIVERED: Readonly<Record<ResolvedOptions['web']['delivery'], string>> = {
  stream: 'for a browser',
  range: 'for a browser, in an ELF file',
  inflate: 'for a browser, compressed in an ELF file',
};

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

/** Subresource integrity (https://www.w3.org/TR/SRI/): any of the hashes will do. */
function hashOf(bytes: Uint8Array): string {
  return `sha384-${createHash('sha384').update(bytes).digest('base64')}`;
}
