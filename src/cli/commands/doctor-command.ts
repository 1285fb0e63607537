/** `wasm-precompile doctor`: checks whether artifacts are compatible with this machine, for a node and its flags. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { execa } from 'execa';
import { glob } from 'tinyglobby';
import { unpackArtifact } from '../../artifact/unpack.ts';
import { readBytes } from '../../build/compile/read-source.ts';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import { checksum } from '../../runtime/node/checksum.ts';
import type { Addons } from '../../runtime/node/addon.ts';
import type { CompatibilityResult, CompatibilityRequest } from '../doctor-process.ts';

const PROCESS = fileURLToPath(new URL('../doctor-process.js', import.meta.url));

/** The result for one artifact. */
interface Diagnosis {
  /** Path relative to the folder. */
  file: string;
  /** Whether native code is used. */
  precompiled: boolean;
  /** Node, CPU level and engine key of the native code; or the reason why it is not used. */
  detail: string;
  advice?: string;
}

interface Flags {
  node: string;
  json?: true;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check that artifacts are compatible with this machine; exit code 1 if one is not')
    .argument('<folder>', 'output folder of a build')
    .argument('[flags...]', 'node flags of the program after --, such as `-- --max-old-space-size=4096`')
    .option('--node <path>', 'node executable that will run the program', process.execPath)
    .option('--json', 'print as JSON')
    .action(checkFolder);
}

async function checkFolder(folder: string, flags: string[], { node, json }: Flags): Promise<void> {
  if (!existsSync(folder)) {
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `${folder} does not exist. Give the output folder of a build.`,
    );
  }
  const files = (await glob('**/*.elf', { cwd: folder, onlyFiles: true })).toSorted();
  if (files.length === 0) {
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `${folder} contains no artifact (*.elf). Give the output folder of a build.`,
    );
  }
  const addons = await findAddons(folder);
  const diagnoses: Diagnosis[] = [];
  // Sequential: each check starts a process.
  for (const file of files) {
    // oxlint-disable-next-line no-await-in-loop
    diagnoses.push({ file, ...(await diagnose(resolve(folder, file), addons, node, flags)) });
  }
  if (json) console.log(JSON.stringify(diagnoses, null, 2));
  else for (const diagnosis of diagnoses) console.log(describe(diagnosis));
  const incompatible = diagnoses.filter(({ precompiled }) => !precompiled);
  if (incompatible.length > 0) {
    throw new Error(
      `${incompatible.length} of ${diagnoses.length} artifacts are not compatible with this machine: these modules are compiled at every startup, as without the plugin.`,
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
    return { precompiled: false, detail: messageOf(error), advice: 'Build and deploy the artifact again.' };
  }
  const request: CompatibilityRequest = { url: pathToFileURL(file).href, manifest, addons };
  const { stdout, stderr, failed, code, shortMessage } = await execa(node, [...flags, PROCESS], {
    input: JSON.stringify(request),
    reject: false,
  });
  if (failed) {
    const why = code === 'ENOENT' ? 'the file does not exist' : stderr || shortMessage;
    throw new WasmPrecompileError(
      'INVALID_OPTIONS',
      `${[node, ...flags].join(' ')} cannot be started: ${why}. Give the path of a node executable with \`--node\`, and its flags after \`--\`.`,
    );
  }
  const { precompiled, detail } = JSON.parse(stdout) as CompatibilityResult;
  return precompiled ? { precompiled, detail } : { precompiled, detail, advice: adviceFor(detail, node) };
}

/** Finds the native addons that a build has written beside the artifacts. */
async function findAddons(folder: string): Promise<Addons> {
  const files = await glob('**/wasm-precompile-*.node', { cwd: folder, absolute: true });
  const entries = await Promise.all(
    files.map(async (file): Promise<[string, [string, number]] | undefined> => {
      const key = /^wasm-precompile-(\w+-\w+-\d+)/.exec(basename(file))?.[1];
      if (key === undefined) return undefined;
      return [key, [pathToFileURL(file).href, checksum(await readFile(file))]];
    }),
  );
  return Object.fromEntries(entries.filter((entry) => entry !== undefined));
}

/** Returns what to change, by the runtime's reason (runtime/node/artifact.ts, runtime/node/compatibility.ts). */
function adviceFor(reason: string, node: string): string {
  if (reason.includes('is not among its targets')) {
    const target = node === process.execPath ? "'host', if the build runs on this node" : `'${node}'`;
    return `Add this node to the option \`targets\`: ${target}.`;
  }
  if (reason.includes('this CPU lacks')) {
    return "Build for a lower CPU level with the option `cpu: 'x86-64-v2'`, or build on a machine like this one.";
  }
  if (reason.startsWith('V8')) {
    return 'Start the program without this flag, or use as a target a script that starts node with it (README, "Deploying").';
  }
  if (/native (?:addon|loader)/.test(reason)) {
    return 'Run `wasm-precompile addon build`, then build again.';
  }
  if (reason.includes('trap handler')) {
    return 'Native code needs the trap handler: do not disable it, and do not limit the address space (`ulimit -v`).';
  }
  if (/(?:contains|holds) none/.test(reason)) return 'See the warnings of the build for the reason.';
  return 'Build and deploy the artifact again.';
}

function describe({ file, precompiled, detail, advice }: Diagnosis): string {
  if (precompiled) return `${file}: precompiled (${detail})`;
  return `${file}: compiled at startup: ${detail}\n  ${advice ?? ''}`.trimEnd();
}
