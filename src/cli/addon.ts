/** `wasm-precompile addon build`: the native loader for nodes that the package brings no binary for. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { buildAddon } from '../addon/build.ts';

export function addonCommand(): Command {
  return new Command('addon')
    .description('the native loader, which maps artifacts and serves Node 26')
    .addCommand(
      new Command('build')
        .description('build it with the C++ compiler of this machine')
        .option('-t, --target <node...>', "'host', or paths of node executables to build for", ['host'])
        .action(build),
    );
}

async function build({ target }: { target: string[] }): Promise<void> {
  for (const node of target) {
    console.log(await buildAddon(node === 'host' ? process.execPath : resolve(node)));
  }
}
