import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { beforeEach, describe, expect, it } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { createProfile } from '../../src/profile/create.ts';
import { formatProfiles } from '../../src/profile/profile-text.ts';
import type { ArtifactManifest } from '../../src/runtime/shared/manifest.ts';
import { readelf } from '../artifact/tools.ts';
import { sample, SAMPLE_RESULT, smallest } from '../v8/modules.ts';
import { CACHE, ROOT, SQL_JS, temporaryFolder } from '../v8/support.ts';
import { build, LOAD, LOAD_SYNC, run } from '../runtime/support.ts';
import { ensureNode } from '../support/nodes.ts';
import { createForeignNode } from '../support/targets.ts';
import { custom } from '../wasm/support.ts';
import { cli, compileCommand, type RunOptions } from './support.ts';

const root = temporaryFolder();
let projects = 0;
let project: string;
beforeEach(() => {
  project = path.join(root, `project-${projects++}`);
  write('sample.wasm', sample());
});

function write(name: string, contents: Uint8Array | string): string {
  const file = path.join(project, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, contents);
  return file;
}

/** Progress on standard error, which appears only on a slow machine. */
const PROGRESS = /^wasm-precompile: compiling .*\n?/gm;

const compile = async (args: string[], options: RunOptions = { cwd: project }) => {
  const result = await compileCommand(args, options);
  return { ...result, stderr: result.stderr.replaceAll(PROGRESS, '').trimEnd() };
};

interface Compiled {
  file: string;
  output: string;
  size: number;
  wireSize: number;
  manifest?: ArtifactManifest;
  native: { engine: string; size: number; functions: number; compiled: number; codeSize: number }[];
}

const parse = (stdout: string) => JSON.parse(stdout) as Compiled[];
const files = (folder: string) => readdirSync(path.join(project, folder)).toSorted();

describe('wasm-precompile compile', () => {
  it('writes an artifact, and prints its contents', async () => {
    const { exitCode, stdout, stderr } = await compile(['sample.wasm', '-o', 'out']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(
      /^out\/sample\.elf {2}[\d.]+ KiB, of which wasm \d+ B\n {2}v8-\S+-linux-x64-[0-9a-f]{8}-[0-9a-f]{8} {2}[\d.]+ KiB, 9 of 9 functions$/,
    );
    expect(files('out')).toEqual(['sample.elf']);
    readelf(path.join(project, 'out/sample.elf'));
    const artifact = unpackArtifact(readFileSync(path.join(project, 'out/sample.elf')));
    expect(artifact).toMatchObject({ form: 'artifact', name: 'sample' });
    expect(Buffer.compare(artifact.wire, sample())).toBe(0);
  });

  it('prints the result as JSON', async () => {
    const { exitCode, stdout, stderr } = await compile(['sample.wasm', '-o', 'out/deep', '--json']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const artifact = unpackArtifact(readFileSync(path.join(project, 'out/deep/sample.elf')));
    expect(parse(stdout)).toEqual([
      {
        file: path.join(project, 'sample.wasm'),
        output: path.join('out/deep/sample.elf'),
        size: artifact.manifest.size,
        wireSize: sample().length,
        manifest: artifact.manifest,
        native: artifact.native.map(({ engine, bytes, statistics }) => ({
          engine,
          size: bytes.length,
          ...statistics,
        })),
      },
    ]);
  });

  it('writes artifacts that the runtime loads with the printed manifest', async () => {
    const node = await ensureNode('24');
    const { stdout } = await compile(['sample.wasm', '-o', 'out', '--json', '--target', node]);
    const [compiled] = parse(stdout);
    const output = await build(path.join(project, 'program'), path.join(project, 'sample.wasm'), [node]);
    const result = await run(output, LOAD + LOAD_SYNC, {
      node,
      artifact: path.join(project, 'out/sample.elf'),
      manifest: compiled?.manifest ?? expect.fail(),
    });
    expect(result).toMatchObject({ end: 0, printed: [SAMPLE_RESULT, SAMPLE_RESULT], warnings: [] });
    expect(result.loads.map(({ how }) => how)).toEqual(['precompiled', 'precompiled']);
  });

  it('compiles for several targets', async () => {
    const nodes = await Promise.all([ensureNode('20.19'), ensureNode('22'), ensureNode('24')]);
    const { exitCode, stdout, stderr } = await compile([
      'sample.wasm',
      '-o',
      'out',
      '--json',
      '-t',
      ...nodes,
      'host',
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const engines = parse(stdout)[0]?.native.map(({ engine }) => engine) ?? [];
    expect(engines.slice(0, 3)).toEqual([
      expect.stringMatching(/^v8-11\.3\./),
      expect.stringMatching(/^v8-12\.4\./),
      expect.stringMatching(/^v8-13\.6\./),
    ]);
    expect(engines.some((engine) => engine.startsWith(`v8-${process.versions.v8}-`))).toBe(true);
    readelf(path.join(project, 'out/sample.elf'));
  });

  it('accepts globs and files together, each file once', async () => {
    write('lib/a/one.wasm', smallest());
    write('lib/b/two.wasm', smallest());
    write('lib/b/not.txt', 'no');
    const { exitCode, stdout } = await compile([
      'lib/**/*.wasm',
      'sample.wasm',
      './sample.wasm',
      'lib/a/*.wasm',
      '-o',
      'out',
      '--json',
    ]);
    expect(exitCode).toBe(0);
    expect(parse(stdout).map(({ output }) => output)).toEqual([
      'out/one.elf',
      'out/two.elf',
      'out/sample.elf',
    ]);
    expect(files('out')).toEqual(['one.elf', 'sample.elf', 'two.elf']);
  });

  it('accepts file names with glob characters', async () => {
    for (const name of ['a[1].wasm', 'b{2}.wasm', 'what?.wasm', 'a b.wasm', 'é.wasm'])
      write(name, smallest());
    const names = ['a[1].wasm', 'b{2}.wasm', 'what?.wasm', 'a b.wasm', 'é.wasm'];
    const { exitCode, stderr } = await compile([...names, '-o', 'out']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(files('out')).toEqual(names.map((name) => name.replace('.wasm', '.elf')).toSorted());
  });

  it('accepts files above the current folder, and absolute paths', async () => {
    mkdirSync(path.join(project, 'below'));
    const cwd = path.join(project, 'below');
    write('two.wasm', smallest());
    const { exitCode } = await compile(['../sample.wasm', path.join(project, 'two.wasm'), '-o', '../out'], {
      cwd,
    });
    expect(exitCode).toBe(0);
    expect(files('out')).toEqual(['sample.elf', 'two.elf']);
  });

  it('writes object files that a linker accepts', async () => {
    const { exitCode, stdout } = await compile(['sample.wasm', '-o', 'out', '--emit', 'obj', '--json']);
    expect(exitCode).toBe(0);
    const [compiled] = parse(stdout);
    expect(compiled).toMatchObject({ output: 'out/sample.o', wireSize: sample().length });
    expect(compiled).not.toHaveProperty('map');
    const c = write(
      'main.c',
      `#include <stdio.h>
extern const unsigned char wasm_sample_start[], wasm_sample_end[], native_sample_start[], native_sample_end[];
int main(void) {
  printf("%ld %02x%02x%02x%02x %ld\\n", (long)(wasm_sample_end - wasm_sample_start), wasm_sample_start[0],
         wasm_sample_start[1], wasm_sample_start[2], wasm_sample_start[3], (long)(native_sample_end - native_sample_start));
  return 0;
}
`,
    );
    const program = path.join(project, 'main');
    execFileSync('gcc', ['-Wl,--fatal-warnings', c, path.join(project, 'out/sample.o'), '-o', program]);
    expect(execFileSync(program, { encoding: 'utf8' })).toBe(
      `${sample().length} 0061736d ${compiled?.native[0]?.size}\n`,
    );
  });

  it('writes the same file each time, with and without the cache', async () => {
    await compile(['sample.wasm', '-o', 'out']);
    await compile(['sample.wasm', '-o', 'again']);
    const bytes = readFileSync(path.join(project, 'out/sample.elf'));
    expect(readFileSync(path.join(project, 'again/sample.elf')).equals(bytes)).toBe(true);
    const { exitCode } = await cli(['compile', 'sample.wasm', '-o', 'uncached', '--no-cache'], {
      cwd: project,
    });
    expect(exitCode).toBe(0);
    expect(existsSync(path.join(project, 'node_modules'))).toBe(false);
    const uncached = unpackArtifact(readFileSync(path.join(project, 'uncached/sample.elf')));
    expect(uncached.native[0]?.statistics).toEqual(unpackArtifact(bytes).native[0]?.statistics);
  });

  it('caches native code in node_modules/.cache by default', async () => {
    const { exitCode } = await cli(['compile', 'sample.wasm', '-o', 'out'], { cwd: project });
    expect(exitCode).toBe(0);
    expect(files('node_modules/.cache/wasm-precompile')).toHaveLength(1);
    const again = await cli(['compile', 'sample.wasm', '-o', 'again'], { cwd: project });
    expect(again.exitCode).toBe(0);
    expect(
      readFileSync(path.join(project, 'again/sample.elf')).equals(
        readFileSync(path.join(project, 'out/sample.elf')),
      ),
    ).toBe(true);
  });

  it.each([
    ['none', ['name', 'producers', '.debug_info']],
    ['debug', ['name']],
    ['all', []],
  ])('strips custom sections: --strip %s', async (strip, left) => {
    write(
      'custom.wasm',
      Uint8Array.from([...sample(), ...custom('producers', 0), ...custom('.debug_info', 0)]),
    );
    const { exitCode } = await compile(['custom.wasm', '-o', 'out', '--strip', strip]);
    expect(exitCode).toBe(0);
    const { wire } = unpackArtifact(readFileSync(path.join(project, 'out/custom.elf')));
    const module = new WebAssembly.Module(Uint8Array.from(wire));
    const found = ['name', 'producers', '.debug_info'].filter(
      (title) => WebAssembly.Module.customSections(module, title).length > 0,
    );
    expect(found).toEqual(left);
  });

  it('warns once if a target has no native code, and writes the artifact', async () => {
    const node = await createForeignNode(project, await ensureNode('26'));
    write('two.wasm', smallest());
    const { exitCode, stdout, stderr } = await compile(['sample.wasm', 'two.wasm', '-o', 'out', '-t', node]);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(
      /^wasm-precompile: warning: node 26\.\S+ \(V8 14\.6\.\S+\) gives native code only through the native addon, and there is none for it.*$/,
    );
    expect(stdout).toMatch(/^out\/sample\.elf .*\n {2}no native code\nout\/two\.elf .*\n {2}no native code$/);
    expect(files('out')).toEqual(['sample.elf', 'two.elf']);
  });

  it('compiles a large module', async () => {
    const { exitCode, stdout } = await compile([SQL_JS, '-o', 'out', '--json']);
    expect(exitCode).toBe(0);
    expect(parse(stdout)[0]?.native[0]).toMatchObject({ functions: 1968, compiled: 1968 });
  });
});

const compileWithProfile = (profile: string) =>
  compile(['sample.wasm', '-o', 'out', '--profile', profile, '--json']);

describe('wasm-precompile compile --profile', () => {
  const executed = [4, 9].map((index) => ({ index, optimised: false }));
  const profile = formatProfiles([createProfile('sample', sample(), executed)]);

  it.each(['profiles', 'profiles/sample.wasm-profile'])('keeps the functions in %s', async (given) => {
    write('profiles/sample.wasm-profile', profile);
    const { exitCode, stdout, stderr } = await compileWithProfile(given);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(parse(stdout)[0]?.native).toMatchObject([{ functions: 9, compiled: 2, executed: 2 }]);
    const artifact = unpackArtifact(readFileSync(path.join(project, 'out/sample.elf')));
    expect(artifact.native[0]?.functions.map(({ index }) => index)).toEqual([4, 9]);
    expect(artifact.profile).toBe(profile);
  });

  it.each([
    [
      'is of no module',
      profile.replace(/"sample"/, '"other"').replace(/^sha256 .*/m, `sha256 ${'0'.repeat(64)}`),
      /warning: .*expected the startup profile of .*"sample".*found "other"/,
    ],
    ['is damaged', profile.slice(0, -4), /warning: .*sample\.wasm-profile:\d+: expected .*cut off/],
  ])('warns that a profile %s, and keeps all functions', async (_, text, message) => {
    write('sample.wasm-profile', text);
    const { exitCode, stdout, stderr } = await compileWithProfile('sample.wasm-profile');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(message);
    expect(stderr.match(/warning/g)).toHaveLength(1);
    expect(parse(stdout)[0]?.native).toMatchObject([{ functions: 9, compiled: 9 }]);
  });
});

describe('wasm-precompile compile fails', () => {
  const failures: [string, string[], RegExp][] = [
    ['a missing file', ['missing.wasm'], /wasm-precompile: \S+\/missing\.wasm: cannot be read: ENOENT/],
    ['a folder', ['folder'], /\/folder: cannot be read: EISDIR/],
    ['text', ['text.wasm'], /\/text\.wasm.*\bnot\b/],
    ['an empty file', ['empty.wasm'], /\/empty\.wasm/],
    ['cut-off wasm', ['cut.wasm'], /\/cut\.wasm/],
    ['a component', ['component.wasm'], /\/component\.wasm.*component/],
  ];

  it.each(failures)('for %s, with exit code 1', async (_, args, message) => {
    mkdirSync(path.join(project, 'folder'));
    write('text.wasm', 'not wasm at all, but long enough to look at');
    write('empty.wasm', '');
    write('cut.wasm', sample().subarray(0, 200));
    write('component.wasm', Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0));
    const { exitCode, stdout, stderr } = await compile([...args, '-o', 'out']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(message);
    // A message, and no stack trace.
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stdout).toBe('');
    expect(existsSync(path.join(project, 'out'))).toBe(false);
  });

  it('for one file of several, writes the others, and reports the failure', async () => {
    write('text.wasm', 'not wasm');
    const { exitCode, stdout, stderr } = await compile([
      'text.wasm',
      'sample.wasm',
      'missing.wasm',
      '-o',
      'out',
    ]);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^out\/sample\.elf /);
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(/^wasm-precompile: \S+\/missing\.wasm: /),
      expect.stringMatching(/^wasm-precompile: \S+\/text\.wasm/),
    ]);
    expect(files('out')).toEqual(['sample.elf']);
  });

  it('for one file of several, prints valid JSON', async () => {
    const { exitCode, stdout } = await compile(['sample.wasm', 'missing.wasm', '-o', 'out', '--json']);
    expect(exitCode).toBe(1);
    expect(parse(stdout).map(({ output }) => output)).toEqual(['out/sample.elf']);
  });

  it('if the output cannot be written', async () => {
    write('file', '');
    const { exitCode, stderr } = await compile(['sample.wasm', '-o', 'file/out']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^wasm-precompile: file\/out\/sample\.elf: cannot be written: (ENOTDIR|EEXIST)/);
  });

  it('if a folder has the name of the output', async () => {
    mkdirSync(path.join(project, 'out/sample.elf'), { recursive: true });
    const { exitCode, stderr } = await compile(['sample.wasm', '-o', 'out']);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^wasm-precompile: out\/sample\.elf: cannot be written: EISDIR/);
    // No temporary file is left.
    expect(files('out')).toEqual(['sample.elf']);
  });

  it.each([
    ['runs full', 'size=72k', ':', /cannot be written: ENOSPC/],
    ['is read-only', 'size=4m', 'mount -o remount,ro out', /cannot be written: EROFS/],
  ])('if the disk %s, and keeps the earlier file', async (_, options, script, message) => {
    // Runs in a separate mount namespace, which ends with the command. The contents of the disk go to standard output.
    const node = JSON.stringify(process.execPath);
    const command = JSON.stringify(path.join(ROOT, 'dist/cli/index.js'));
    const setUp = `mkdir out && mount -t tmpfs -o ${options} none out && echo before > out/sample.elf && ${script}`;
    const compiling = `${node} ${command} compile sample.wasm -o out --cache ${JSON.stringify(CACHE)}`;
    const shell = ['-c', `${setUp} && ${compiling}; code=$?; ls -A out; cat out/sample.elf; exit $code`];
    const { exitCode, stdout, stderr } = await execa(
      'unshare',
      ['--mount', '--map-root-user', 'sh', ...shell],
      {
        cwd: project,
        reject: false,
      },
    );
    expect(stderr).toMatch(/^wasm-precompile: out\/sample\.elf: /);
    expect(stderr).toMatch(message);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: 'sample.elf\nbefore' });
  });

  it('not if only the cache cannot be written', async () => {
    write('file', '');
    const { exitCode, stderr } = await cli(['compile', 'sample.wasm', '-o', 'out', '--cache', 'file/cache'], {
      cwd: project,
    });
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(
      /^wasm-precompile: warning: The cache file\/cache cannot be (read|written): .*(ENOTDIR|EEXIST)/,
    );
    expect(files('out')).toEqual(['sample.elf']);
  });
});

describe('wasm-precompile compile is used wrongly', () => {
  it.each([
    ['no output folder', ['sample.wasm'], /required option '-o, --output <dir>' not specified/],
    ['no files', ['-o', 'out'], /missing required argument 'files'/],
    ['an unknown option', ['sample.wasm', '-o', 'out', '--fast'], /unknown option '--fast'/],
    [
      'an unknown form',
      ['sample.wasm', '-o', 'out', '--emit', 'exe'],
      /argument 'exe' is invalid. Allowed choices are elf, obj/,
    ],
    ['unknown sections', ['sample.wasm', '-o', 'out', '--strip', 'some'], /argument 'some' is invalid/],
    ['no number of seconds', ['sample.wasm', '-o', 'out', '--time-limit', 'long'], /option `timeLimit`/],
    ['no time', ['sample.wasm', '-o', 'out', '--time-limit', '0'], /option `timeLimit`.*above 0/],
    ['a glob without files', ['nothing/*.wasm', '-o', 'out'], /nothing\/\*\.wasm matches no file/],
    [
      'an unknown target',
      ['sample.wasm', '-o', 'out', '-t', './no-node'],
      /Target \.\/no-node cannot be started/,
    ],
    [
      'names that collide',
      ['sample.wasm', 'other/sample.wasm', '-o', 'out'],
      /other\/sample\.wasm and \S+\/sample\.wasm would both be written to out\/sample\.elf/,
    ],
  ])('with %s and exits with code 2', async (_, args, message) => {
    write('other/sample.wasm', smallest());
    const { exitCode, stdout, stderr } = await cli(['compile', ...args, '--no-cache'], { cwd: project });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stdout).toBe('');
    expect(existsSync(path.join(project, 'out'))).toBe(false);
  });
});
