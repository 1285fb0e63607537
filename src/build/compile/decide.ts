/** The one place that decides how a build ships a module, and gives the reason if the module is not precompiled. */
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import { formatBytes } from '../../common/format-bytes.ts';
import { isCoreModule } from '../../wasm/binary/identify.ts';
import type { ImportForm } from '../requests/request.ts';
import type { SourceModule } from './read-source.ts';

export type Decision =
  | Precompile
  | CompileAtStartup
  /** As base64 in the JavaScript. */
  | { kind: 'inline' }
  /** In the form that the option `web.delivery` names; the browser compiles it. */
  | { kind: 'browser' }
  /** A dev server serves the file unchanged. */
  | { kind: 'dev' };

/** With native code, in an artifact. */
export interface Precompile {
  kind: 'precompile';
}

/** As a plain wasm file without native code. */
export interface CompileAtStartup {
  kind: 'startup';
  /** A clause for the build summary, such as `below the threshold of 256 KiB`. */
  reason: string;
  /** A warning, if the user would expect native code. */
  warning?: string;
}

/** What a decision depends on besides the module. */
export interface Conditions {
  dev: boolean;
  platform: 'node' | 'browser';
  /** Why no module of this build is precompiled; undefined if modules are. */
  plain?: string | undefined;
  /** Bytes below which a module is inlined. */
  inlineLimit: number;
  /** Bytes below which a module is not precompiled. */
  threshold: number;
}

type Module = Pick<SourceModule, 'file' | 'wire' | 'builtins'>;

export function decide(
  module: Module,
  { dev, platform, plain, inlineLimit, threshold }: Conditions,
): Decision {
  if (dev) return { kind: 'dev' };
  if (module.wire.length < inlineLimit) return { kind: 'inline' };
  if (plain !== undefined) return { kind: 'startup', reason: plain };
  return platform === 'browser' ? { kind: 'browser' } : decideForNode(module, threshold);
}

/**
 * The decision for a program on Node.js, which depends on the module only.
 *
 * @param threshold bytes below which a module is not precompiled
 */
export function decideForNode(
  { file, wire, builtins }: Module,
  threshold = 0,
): Precompile | CompileAtStartup {
  if (builtins) {
    return {
      kind: 'startup',
      reason: 'it uses JS string builtins',
      warning: `${file} uses JS string builtins, which native code cannot hold: V8 compiles it at startup.`,
    };
  }
  return wire.length < threshold
    ? { kind: 'startup', reason: `below the threshold of ${formatBytes(threshold)}` }
    : { kind: 'precompile' };
}

/**
 * The decision for a file that could not be parsed. V8 may support a proposal that the parser does not: in the
 * forms that need no interface, such a core module is shipped for compilation at startup. A package that loads the
 * file itself may expect a component, or a file that is no wasm, so in the form `file` every file is shipped.
 *
 * @param error the parser's
 * @returns undefined if the build must fail with the error
 */
export function decideUnreadable(
  error: unknown,
  form: ImportForm,
  bytes: Uint8Array,
): CompileAtStartup | undefined {
  const code = error instanceof WasmPrecompileError ? error.code : undefined;
  const isCore = isCoreModule(bytes);
  const ships =
    form === 'file'
      ? code === 'UNSUPPORTED_WASM' || code === 'INVALID_WASM'
      : code === 'UNSUPPORTED_WASM' && isCore && WITHOUT_INTERFACE.has(form);
  if (!ships) return undefined;
  return {
    kind: 'startup',
    reason: 'it cannot be parsed',
    ...(isCore && { warning: `${messageOf(error)} It is not precompiled: V8 compiles it at startup.` }),
  };
}

/** Forms whose generated code does not depend on the imports and exports of the module. */
const WITHOUT_INTERFACE: ReadonlySet<ImportForm> = new Set(['init', 'module', 'shared']);
