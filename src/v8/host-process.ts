/**
 * Talks to compile-host.js in a child process of a target's node: one process for each job, so that a crash, a
 * lack of memory or an endless compilation costs that job and nothing else.
 */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { WasmPrecompileError } from '../common/error.ts';

/** Compiles. */
export const HOST_FILE = fileURLToPath(new URL('./compile-host.js', import.meta.url));

/** Has it compile on the machine that runs a program. */
export const RECOMPILE_HOST_FILE = fileURLToPath(new URL('./recompile-host.js', import.meta.url));

/** Environment variables that change V8's flags, what node runs first, or how a child talks to its parent. */
const REMOVED_VARIABLES = ['NODE_OPTIONS', 'NODE_V8_COVERAGE', 'NODE_CHANNEL_FD', 'ELECTRON_RUN_AS_NODE'];

export type HostCommand = 'probe' | 'compile' | 'check' | 'validate';

export interface HostAnswer {
  json: Record<string, unknown>;
  bytes: Uint8Array;
}

/** What a job runs in. */
export interface HostEngine {
  /** Path of the node executable. */
  node: string;
  /** Path of the native loader's binary for it. */
  addon?: string | undefined;
  /** What it is started with. */
  flags?: readonly string[];
}

/** Why a job gave no answer: `unsupported` is V8's own verdict on the module, all else is `failed`. */
export class HostFailure extends Error {
  readonly kind: 'unsupported' | 'failed';

  constructor(kind: 'unsupported' | 'failed', message: string) {
    super(message);
    this.name = 'HostFailure';
    this.kind = kind;
  }
}

/**
 * Runs one job.
 *
 * @param timeLimit in milliseconds; then the child is killed
 * @throws HostFailure where the child crashed, ran out of memory, took too long or reported a failure
 * @throws WasmPrecompileError `INVALID_OPTIONS` where the executable cannot be started
 */
export async function runHost(
  { node, addon, flags = [] }: HostEngine,
  command: HostCommand,
  input: Uint8Array,
  timeLimit: number,
): Promise<HostAnswer> {
  const child = execa(node, [...flags, HOST_FILE, command, ...(addon === undefined ? [] : [addon])], {
    input,
    encoding: 'buffer',
    stripFinalNewline: false,
    maxBuffer: { stdout: Number.MAX_SAFE_INTEGER, stderr: 1 << 16 },
    timeout: timeLimit,
    killSignal: 'SIGKILL',
    reject: false,
    extendEnv: false,
    env: childEnvironment(),
  });
  // What the child itself started may live on and hold its output open: nothing to wait for.
  child.once('exit', (_code, signal) => {
    if (signal === 'SIGKILL') for (const output of [child.stdout, child.stderr]) output.destroy();
  });
  const result = await child;
  if (result.timedOut) {
    throw new HostFailure('failed', `took longer than ${timeLimit / 1000} s (option \`timeLimit\`)`);
  }
  // A process that never started has neither.
  if (result.exitCode === undefined && result.signal === undefined) {
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `Target ${node} cannot be started: ${result.originalMessage ?? result.shortMessage ?? 'unknown error'}. ` +
        'A target is `host` or the path of a node executable.',
    );
  }
  const answer = parseAnswer(result.stdout);
  if (result.exitCode !== 0 || !answer) {
    const end = result.signal ? `was ended by ${result.signal}` : `exited with code ${result.exitCode}`;
    const how = result.exitCode === 0 ? 'gave no answer that can be read' : end;
    throw new HostFailure('failed', `the compiling process ${how}${firstLine(result.stderr)}`);
  }
  const { error } = answer.json;
  if (isFailure(error)) throw new HostFailure(error.kind, error.message);
  return answer;
}

/** Puts JSON and byte strings into one frame, as compile-host.js reads it. */
export function frame(json: object, ...bytes: Uint8Array[]): Uint8Array {
  const text = Buffer.from(JSON.stringify(json));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, ...bytes]);
}

function parseAnswer(output: Uint8Array): HostAnswer | undefined {
  if (output.length < 4) return undefined;
  const buffer = Buffer.from(output.buffer, output.byteOffset, output.byteLength);
  const jsonEnd = 4 + buffer.readUInt32LE(0);
  if (jsonEnd > buffer.length) return undefined;
  try {
    const json: unknown = JSON.parse(buffer.toString('utf8', 4, jsonEnd));
    return isRecord(json) ? { json, bytes: buffer.subarray(jsonEnd) } : undefined;
  } catch {
    // Something else wrote to standard output: a preloaded script, or a program that is no node.
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isFailure(error: unknown): error is { kind: 'unsupported' | 'failed'; message: string } {
  return isRecord(error) && (error['kind'] === 'unsupported' || error['kind'] === 'failed');
}

function childEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !REMOVED_VARIABLES.includes(name)) environment[name] = value;
  }
  return environment;
}

/** What a crash prints of its reason: V8's own word for it, else the first line with words. */
function firstLine(stderr: Uint8Array): string {
  const lines = Buffer.from(stderr)
    .toString()
    .split('\n')
    .map((text) => text.replace(/^[#\s]+/, ''))
    .filter((text) => /[a-z]/i.test(text) && !text.startsWith('Fatal error in'));
  const line = lines.find((text) => /^fatal/i.test(text)) ?? lines[0];
  return line ? ` (${line})` : '';
}
