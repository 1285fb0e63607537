#!/usr/bin/env node
/** The `wasm-precompile` command: one file for each subcommand. Exit codes: 0 done, 1 failed, 2 wrong usage. */
import { Command, CommanderError } from 'commander';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { VERSION } from '../common/version.ts';
import { addonCommand } from './addon.ts';
import { compileCommand } from './compile.ts';
import { doctorCommand } from './doctor.ts';
import { inspectCommand } from './inspect.ts';
import { profileCommand } from './profile.ts';
import { reportCommand } from './report.ts';
import { trainCommand } from './train.ts';
import { typesCommand } from './types.ts';

const FAILED = 1;
const WRONG_USAGE = 2;

const program = new Command('wasm-precompile')
  .description('Precompile WebAssembly modules: wire bytes and native code in one ELF file.')
  .version(VERSION)
  // The options of the command that `train` runs are that command's.
  .enablePositionalOptions()
  .addCommand(compileCommand())
  .addCommand(inspectCommand())
  .addCommand(doctorCommand())
  .addCommand(profileCommand())
  .addCommand(trainCommand())
  .addCommand(reportCommand())
  .addCommand(typesCommand())
  .addCommand(addonCommand())
  .showHelpAfterError('(--help shows what there is)');

throwInsteadOfExiting(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its message; for --help and --version it throws code 0.
    process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE;
  } else {
    console.error(`wasm-precompile: ${messageOf(error)}`);
    const usage = error instanceof WasmPrecompileError && error.code === 'INVALID_OPTIONS';
    process.exitCode = usage ? WRONG_USAGE : FAILED;
  }
}

function throwInsteadOfExiting(command: Command): void {
  command.exitOverride();
  for (const subcommand of command.commands) throwInsteadOfExiting(subcommand);
}
