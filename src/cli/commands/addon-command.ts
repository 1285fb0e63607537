/** `wasm-precompile addon build`: builds the native addon for nodes without a prebuilt binary in the package. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { buildAddon } from '../../addon/build.ts';

export function addonCommand(): Command {
  return new Command('addon')
    .description('the native addon, which maps artifacts into memory and is required for Node 26')
    .addCommand(
      new Command('build')
        .description('build the native addon with the C++ compiler of this machine')
        .option('-t, --target <node...>', "'host', or paths of node executables to build for", ['host'])
        .action(build),
    );
}

async function build({ target }: { target: string[] }): Promise<void> {
  for (const node of target) {
    console.log(await buildAddon(node === 'host' ? process.execPath : resolve(node)));
  }
}
