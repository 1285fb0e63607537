/** `wasm-precompile compile`: compiles wasm files to artifacts, or to object files for linking. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { NativeCode } from '../../artifact/contents.ts';
import { packArtifact, packObject } from '../../artifact/pack.ts';
import { resolveOptions } from '../../build/options/resolve.ts';
import { createPipeline, type Pipeline } from '../../build/compile/pipeline.ts';
import { createProgress } from '../../build/compile/progress.ts';
import { CPU_LEVELS, type CpuLevel } from '../../v8/cpu.ts';
import { writeAtomic } from '../../common/write-atomic.ts';
import { messageOf, WasmPrecompileError } from '../../common/error.ts';
import { formatBytes } from '../../common/format-bytes.ts';
import type { ArtifactManifest } from '../../runtime/shared/manifest.ts';
import { warnOnce } from '../../common/warn-once.ts';
import { warn } from '../warn.ts';
import { findFiles } from '../find-wasm-files.ts';

interface CompileFlags {
  output: string;
  target: string[];
  cpu?: CpuLevel;
  emit: 'elf' | 'obj';
  strip: 'none' | 'debug' | 'all';
  timeLimit: string;
  profile?: string;
  cache: string | false;
  json?: true;
}

/** One line of the result, and one element of `--json`. */
interface CompiledFile {
  file: string;
  output: string;
  /** Bytes of the output. */
  size: number;
  wireSize: number;
  /** The manifest for the runtime's `fromArtifact`; object files have none. */
  manifest?: ArtifactManifest;
  native: (NativeCode['statistics'] & { engine: string; size: number })[];
}

export function compileCommand(): Command {
  return new Command('compile')
    .description('compile wasm files for one or more engines')
    .argument('<files...>', 'wasm files, or globs of them')
    .requiredOption('-o, --output <dir>', 'folder for the results')
    .option('-t, --target <node...>', "'host', or paths of node executables to compile for", ['host'])
    .addOption(new Option('--cpu <level>', 'CPU level to compile for').choices([...CPU_LEVELS]))
    .addOption(
      new Option('--emit <form>', 'output format: an artifact (elf), or an object file to link (obj)')
        .choices(['elf', 'obj'])
        .default('elf'),
    )
    .addOption(
      new Option('--strip <sections>', 'custom sections to remove')
        .choices(['none', 'debug', 'all'])
        .default('debug'),
    )
    .option(
      '--profile <path>',
      'startup profile, or a folder of them: keep native code only for the executed functions',
    )
    .option('--time-limit <seconds>', 'time limit for one module and target', '300')
    .option('--cache <dir>', 'cache folder for native code', 'node_modules/.cache/wasm-precompile')
    .option('--no-cache', 'compile without a cache')
    .option('--json', 'print the result as JSON')
    .action(compileFiles);
}

async function compileFiles(patterns: string[], flags: CompileFlags): Promise<void> {
  const options = resolveOptions({
    targets: flags.target,
    ...(flags.cpu !== undefined && { cpu: flags.cpu }),
    strip: flags.strip === 'none' ? false : flags.strip,
    timeLimit: Number(flags.timeLimit),
    ...(flags.profile !== undefined && { profile: flags.profile }),
    cache: flags.cache,
  });
  const files = await findFiles(patterns);
  const outputs = planOutputs(files, flags);
  const pipeline = createPipeline(options, { warn: warnOnce(warn), progress: createProgress() });

  const results = await Promise.allSettled(
    outputs.map(([file, output]) => compileFile(pipeline, file, output, flags.emit)),
  );
  const reasons = results.flatMap((result): unknown[] =>
    result.status === 'rejected' ? [result.reason] : [],
  );
  // An invalid target causes the same error for every file: report it once.
  const misuse = reasons.find(
    (reason) => reason instanceof WasmPrecompileError && reason.code === 'INVALID_OPTIONS',
  );
  if (misuse) throw misuse;
  const compiled = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const unused = pipeline.describeUnusedProfiles();
  if (unused !== undefined) warn(unused);
  if (flags.json) console.log(JSON.stringify(compiled, null, 2));
  else for (const result of compiled) printResult(result);
  if (reasons.length > 0) throw new Error(reasons.map(messageOf).join('\nwasm-precompile: '));
}

/** @throws WasmPrecompileError `INVALID_OPTIONS` if two outputs would have the same name */
function planOutputs(files: string[], flags: CompileFlags): [file: string, output: string][] {
  const byOutput = new Map<string, string>();
  return files.map((file) => {
    const name = file.replace(/^.*[\\/]/, '').replace(/\.wasm$/, '');
    const output = join(flags.output, `${name}.${flags.emit === 'obj' ? 'o' : 'elf'}`);
    const other = byOutput.get(output);
    if (other !== undefined) {
      throw new WasmPrecompileError(
        'INVALID_OPTIONS',
        `${other} and ${file} would both be written to ${output}. Compile them into different folders.`,
      );
    }
    byOutput.set(output, file);
    return [file, output];
  });
}

async function compileFile(
  pipeline: Pipeline,
  file: string,
  output: string,
  emit: 'elf' | 'obj',
): Promise<CompiledFile> {
  const contents = await pipeline.compile(await pipeline.read(file));
  const { bytes, manifest } =
    emit === 'obj' ? { bytes: packObject(contents), manifest: undefined } : packArtifact(contents);
  try {
    await writeAtomic(output, bytes);
  } catch (error) {
    throw new WasmPrecompileError('UNWRITABLE_FILE', `${output}: cannot be written: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return {
    file,
    output,
    size: bytes.length,
    wireSize: contents.wire.length,
    ...(manifest && { manifest }),
    native: contents.native.map(({ engine, statistics, bytes: code }) => ({
      engine,
      size: code.length,
      ...statistics,
    })),
  };
}

function printResult({ output, size, wireSize, native }: CompiledFile): void {
  console.log(`${output}  ${formatBytes(size)}, of which wasm ${formatBytes(wireSize)}`);
  if (native.length === 0) console.log('  no native code');
  for (const { engine, size: nativeSize, compiled, functions } of native) {
    console.log(`  ${engine}  ${formatBytes(nativeSize)}, ${compiled} of ${functions} functions`);
  }
}
