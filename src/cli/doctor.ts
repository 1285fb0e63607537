/** `wasm-precompile doctor`: whether the artifacts of a folder are of use on this machine, for a node and its flags. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { execa } from 'execa';
import { glob } from 'tinyglobby';
import { unpackArtifact } from '../artifact/unpack.ts';
import { readBytes } from '../build/compile/pipeline.ts';
import { messageOf, WasmPrecompileError } from '../common/error.ts';
import { checksum } from '../runtime/node/checksum.ts';
import type { Addons } from '../runtime/node/index.ts';
import type { Examination, Patient } from './doctor-process.ts';

const PROCESS = fileURLToPath(new URL('./doctor-process.js', import.meta.url));

/** What one artifact is here. */
interface Diagnosis {
  /** Relative to the folder. */
  file: string;
  /** Whether native code is used. */
  precompiled: boolean;
  /** Node, CPU level and engine key of what is used, or why native code is not used. */
  detail: string;
  advice?: string;
}

interface Flags {
  node: string;
  json?: true;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('see whether artifacts are of use on this machine; exit code 1 where one is not')
    .argument('<folder>', 'the output of a build')
    .argument(
      '[flags...]',
      'after --: what the program will be started with, e.g. -- --max-old-space-size=4096',
    )
    .option('--node <path>', 'the node that will run it', process.execPath)
    .option('--json', 'print as JSON')
    .action(examine);
}

async function examine(folder: string, flags: string[], { node, json }: Flags): Promise<void> {
  if (!existsSync(folder)) {
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `${folder} does not exist: name the folder that a build has written.`,
    );
  }
  const files = (await glob('**/*.elf', { cwd: folder, onlyFiles: true })).toSorted();
  if (files.length === 0) {
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `${folder} holds no artifact (*.elf): name the folder that a build has written.`,
    );
  }
  const addons = await findAddons(folder);
  const diagnoses: Diagnosis[] = [];
  // One after another: each in a process of its own, as in the program.
  for (const file of files) {
    // oxlint-disable-next-line no-await-in-loop
    diagnoses.push({ file, ...(await diagnose(resolve(folder, file), addons, node, flags)) });
  }
  if (json) console.log(JSON.stringify(diagnoses, null, 2));
  else for (const diagnosis of diagnoses) console.log(describe(diagnosis));
  const useless = diagnoses.filter(({ precompiled }) => !precompiled);
  if (useless.length > 0) {
    throw new Error(
      `${useless.length} of ${diagnoses.length} artifacts are of no use here: these modules are compiled at each start, as without the plugin.`,
    );
  }
}

async function diagnose(
  file: string,
  addons: Addons,
  node: string,
  flags: readonly string[],
): Promise<Omit<Diagnosis, 'file'>> {
  let manifest;
  try {
    ({ manifest } = unpackArtifact(await readBytes(file), file));
  } catch (error) {
    return { precompiled: false, detail: messageOf(error), advice: 'Build and deploy it again.' };
  }
  const patient: Patient = { url: pathToFileURL(file).href, manifest, addons };
  const { stdout, stderr, failed, code, shortMessage } = await execa(node, [...flags, PROCESS], {
    input: JSON.stringify(patient),
    reject: false,
  });
  if (failed) {
    const why = code === 'ENOENT' ? 'there is no such file' : stderr || shortMessage;
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `${[node, ...flags].join(' ')} cannot be started: ${why}. \`--node\` takes the path of a node executable, \`--\` its flags.`,
    );
  }
  const { precompiled, detail } = JSON.parse(stdout) as Examination;
  return precompiled ? { precompiled, detail } : { precompiled, detail, advice: adviceFor(detail, node) };
}

/** The native loader's binaries as a build puts them beside the artifacts. */
async function findAddons(folder: string): Promise<Addons> {
  const binaries = await glob('**/wasm-precompile-*.node', { cwd: folder, absolute: true });
  const entries = await Promise.all(
    binaries.map(async (binary): Promise<[string, [string, number]] | undefined> => {
      const key = /^wasm-precompile-(\w+-\w+-\d+)/.exec(basename(binary))?.[1];
      if (key === undefined) return undefined;
      return [key, [pathToFileURL(binary).href, checksum(await readFile(binary))]];
    }),
  );
  return Object.fromEntries(entries.filter((entry) => entry !== undefined));
}

/** What to change, by the runtime's reasons (runtime/node/artifact.ts, fit.ts). */
function adviceFor(reason: string, node: string): string {
  if (reason.includes('is not among its targets')) {
    const target = node === process.execPath ? "'host', where the build runs on this node" : `'${node}'`;
    return `Add this node to the option \`targets\`: ${target}.`;
  }
  if (reason.includes('this CPU lacks')) {
    return "Build for a lower level: the option `cpu: 'x86-64-v2'`, or on a machine like this one.";
  }
  if (reason.startsWith('V8')) {
    return 'Start the program without it, or make a target of a script that starts node with it (README, "Deploying").';
  }
  if (reason.includes('native loader'))
    return 'Make it with `wasm-precompile addon build`, then build again.';
  if (reason.includes('trap handler')) {
    return 'Native code needs it: do not disable it, and do not limit the address space (`ulimit -v`).';
  }
  if (reason.includes('holds none')) return 'The build has said why: look at its warnings.';
  return 'Build and deploy it again.';
}

function describe({ file, precompiled, detail, advice }: Diagnosis): string {
  if (precompiled) return `${file}: precompiled (${detail})`;
  return `${file}: compiled at start-up: ${detail}\n  ${advice ?? ''}`.trimEnd();
}
