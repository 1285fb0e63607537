#!/usr/bin/env node
/**
 * The `wasm-precompile` command: one file in commands/ for each subcommand. Exit codes: 0 success, 1 failure, 2
 * wrong usage.
 */
import { Command, CommanderError } from 'commander';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { VERSION } from '../common/version.ts';
import { addonCommand } from './commands/addon-command.ts';
import { appCommand } from './commands/app-command.ts';
import { compileCommand } from './commands/compile-command.ts';
import { doctorCommand } from './commands/doctor-command.ts';
import { inspectCommand } from './commands/inspect-command.ts';
import { profileCommand } from './commands/profile-command.ts';
import { reportCommand } from './commands/report-command.ts';
import { trainCommand } from './commands/train-command.ts';
import { typesCommand } from './commands/types-command.ts';

const FAILED = 1;
const WRONG_USAGE = 2;

const program = new Command('wasm-precompile')
  .description('Precompile WebAssembly modules: a module and its native code in one ELF file.')
  .version(VERSION)
  // Options after the command of `train` or `app` belong to that command.
  .enablePositionalOptions()
  .addCommand(compileCommand())
  .addCommand(inspectCommand())
  .addCommand(doctorCommand())
  .addCommand(profileCommand())
  .addCommand(trainCommand())
  .addCommand(appCommand())
  .addCommand(reportCommand())
  .addCommand(typesCommand())
  .addCommand(addonCommand())
  .showHelpAfterError('(--help lists commands and options)');

throwInsteadOfExiting(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its message. It throws code 0 for --help and --version.
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
