/**
 * Runs compile-host.js in child processes of a target's node. Each job has its own process, so that a crash, a lack of
 * memory or an endless compilation affects no other job.
 */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { WasmPrecompileError } from '../common/error.ts';

/** The script that compiles. */
export const HOST_FILE = fileURLToPath(new URL('./compile-host.js', import.meta.url));

/** The script that runs the one above for on-device compilation. */
export const RECOMPILE_HOST_FILE = fileURLToPath(new URL('./recompile-host.js', import.meta.url));

/** Environment variables that change V8's flags, preload scripts, or connect a child to its parent. */
const REMOVED_VARIABLES = ['NODE_OPTIONS', 'NODE_V8_COVERAGE', 'NODE_CHANNEL_FD', 'ELECTRON_RUN_AS_NODE'];

export type HostCommand = 'probe' | 'compile' | 'check' | 'validate';

export interface HostAnswer {
  json: Record<string, unknown>;
  bytes: Uint8Array;
}

/** The node that runs a job. */
export interface HostEngine {
  /** Path of the node executable. */
  node: string;
  /** Path of the native addon for it. */
  addon?: string | undefined;
  /** Command line flags. */
  flags?: readonly string[];
}

/** The failure of a job: `unsupported` if V8 rejected the module, otherwise `failed`. */
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
 * @param timeLimit milliseconds after which the child is killed
 * @throws HostFailure if the child crashes, runs out of memory, takes too long or reports a failure
 * @throws WasmPrecompileError `INVALID_OPTIONS` if the executable cannot be started
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
  // Processes that the child has started may outlive it and hold its output open. Do not wait for them.
  child.once('exit', (_code, signal) => {
    if (signal === 'SIGKILL') for (const output of [child.stdout, child.stderr]) output.destroy();
  });
  const result = await child;
  if (result.timedOut) {
    throw new HostFailure('failed', `took longer than ${timeLimit / 1000} s (option \`timeLimit\`)`);
  }
  // A process that did not start has neither.
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

/** Encodes JSON and byte strings as one frame, in the format of compile-host.js. */
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
    // Other code wrote to standard output: a preload script, or a program that is not node.
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

/** Returns the reason that a crash prints: V8's line if there is one, otherwise the first line with letters. */
function firstLine(stderr: Uint8Array): string {
  const lines = Buffer.from(stderr)
    .toString()
    .split('\n')
    .map((text) => text.replace(/^[#\s]+/, ''))
    .filter((text) => /[a-z]/i.test(text) && !text.startsWith('Fatal error in'));
  const line = lines.find((text) => /^fatal/i.test(text)) ?? lines[0];
  return line ? ` (${line})` : '';
}
