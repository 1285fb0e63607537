/** Runs a TypeScript program of the playground without building it. */
import type * as v from 'valibot';
import { type Command, type ProgramOptions, runProgram } from './program.ts';

/** @param command the program's file and its arguments */
export function runTypeScript<Schema extends v.GenericSchema>(
  command: Command,
  schema: Schema,
  options: ProgramOptions,
): Promise<{ output: v.InferOutput<Schema>; stderr: string }> {
  return runProgram([process.execPath, '--import', import.meta.resolve('tsx'), ...command], schema, options);
}
