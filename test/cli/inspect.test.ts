import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { createProfile } from '../../src/profile/create.ts';
import { formatProfiles } from '../../src/profile/profile-text.ts';
import { sample, smallest } from '../v8/modules.ts';
import { SQL_JS, temporaryFolder } from '../v8/support.ts';
import { ensureNode } from '../support/nodes.ts';
import { createForeignNode } from '../support/targets.ts';
import { moduleOf, section as wasmSection } from '../wasm/support.ts';
import { cli, compileCommand } from './support.ts';

const folder = temporaryFolder();
const inspect = (...args: string[]) => cli(['inspect', ...args], { cwd: folder });
const read = (name: string) => readFileSync(path.join(folder, name));

beforeAll(async () => {
  writeFileSync(path.join(folder, 'sample.wasm'), sample());
  writeFileSync(path.join(folder, 'no-native.wasm'), smallest());
  const nodes = await Promise.all([ensureNode('22'), ensureNode('24')]);
  const compile = (...args: string[]) => compileCommand([...args, '-o', '.'], { cwd: folder });
  for (const outcome of [
    await compile('sample.wasm', '-t', ...nodes),
    await compile('sample.wasm', '--emit', 'obj', '-t', ...nodes),
    await compile('no-native.wasm', '-t', await createForeignNode(folder, await ensureNode('26'))),
    await compile(SQL_JS, '-t', ...nodes),
  ]) {
    expect(outcome.exitCode).toBe(0);
  }
});

describe('wasm-precompile inspect', () => {
  it.each([
    ['sample.elf', 'artifact'],
    ['sample.o', 'object file'],
  ])('shows the contents of %s', async (name, form) => {
    const { exitCode, stdout, stderr } = await inspect(name);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const { manifest, sourceSha256, nativeSections } = unpackArtifact(read(name));
    expect(stdout).toMatch(new RegExp(`^${name}: ${form} of [\\d.]+ KiB, format 1, x64\n`));
    expect(stdout).toContain(`source    SHA-256 ${sourceSha256}`);
    expect(stdout).toContain(`build id  ${manifest.buildId}`);
    const segments = [
      { section: '.wasm', engine: '', ...manifest.wire },
      ...manifest.native.map((segment, index) => ({ section: nativeSections[index], ...segment })),
    ];
    for (const { section, offset, size, crc32, engine } of segments) {
      const line = stdout.split('\n').find((text) => text.startsWith(`  ${section} `));
      expect(line?.trim().split(/ +/)).toEqual(
        [section, String(offset), String(size), crc32.toString(16).padStart(8, '0'), engine].filter(
          (cell) => cell !== '',
        ),
      );
    }
    expect(stdout).toContain('  import function env.twice (i32) → (i32)\n');
    expect(stdout).toContain('  export memory memory 1.. pages\n');
    expect(stdout).toContain('  export function root (f64) → (f64)\n');
    expect(
      stdout.match(/9 of 9 functions compiled, \d+ B of instructions in \S+ \w+; the largest:/g),
    ).toHaveLength(2);
    expect(stdout).toMatch(/\n +\d+ {2}\[4\] {2}sum\n/);
  });

  it.each(['sample.elf', 'sample.o'])('describes %s as JSON', async (name) => {
    const { exitCode, stdout, stderr } = await inspect(name, '--json');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const artifact = unpackArtifact(read(name));
    expect(JSON.parse(stdout)).toMatchObject({
      form: artifact.form,
      formatVersion: 1,
      producer: artifact.producer,
      machine: 'x64',
      sourceSha256: artifact.sourceSha256,
      buildId: artifact.manifest.buildId,
      size: read(name).length,
      segments: [
        { section: '.wasm', ...artifact.manifest.wire },
        { section: artifact.nativeSections[0], ...artifact.manifest.native[0] },
        { section: artifact.nativeSections[1], ...artifact.manifest.native[1] },
      ],
      interface: artifact.interface,
      native: artifact.native.map(({ engine, statistics }) => ({ engine, ...statistics })),
    });
  });

  it('lists the largest functions, the largest first', async () => {
    const { stdout } = await inspect('sql-wasm.elf', '--json');
    const { native } = JSON.parse(stdout) as {
      native: { largest: { index: number; size: number; name: string }[] }[];
    };
    expect(native).toHaveLength(2);
    const artifact = unpackArtifact(read('sql-wasm.elf'));
    for (const [target, { largest }] of native.entries()) {
      const sizes =
        artifact.native[target]?.functions.map(({ size }) => size).toSorted((a, b) => b - a) ?? [];
      expect(largest.map(({ size }) => size)).toEqual(sizes.slice(0, 10));
      for (const { index, name } of largest)
        expect(name).toBe(artifact.functionNames.get(index) ?? `wasm-function[${index}]`);
    }
  });

  it('shows the contents of an artifact without native code', async () => {
    const { exitCode, stdout } = await inspect('no-native.elf');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('export function run () → (i32)');
    expect(stdout).not.toContain('native code of');
    expect(JSON.parse((await inspect('no-native.elf', '--json')).stdout)).toMatchObject({ native: [] });
  });

  it('shows to how many functions an artifact was trimmed', async () => {
    const executed = [4, 9].map((index) => ({ index, optimised: false }));
    const profile = formatProfiles([createProfile('sample', sample(), executed)]);
    mkdirSync(path.join(folder, 'trimmed'));
    writeFileSync(path.join(folder, 'trimmed/sample.wasm-profile'), profile);
    writeFileSync(
      path.join(folder, 'trimmed/empty.wasm-profile'),
      formatProfiles([createProfile('no-native', smallest(), [])]),
    );
    const flags = ['-o', 'trimmed', '--profile', 'trimmed'];
    const { exitCode } = await compileCommand(['sample.wasm', 'no-native.wasm', ...flags], { cwd: folder });
    expect(exitCode).toBe(0);

    const { stdout } = await inspect('trimmed/sample.elf');
    expect(stdout).toMatch(/^native code of v8-\S+, trimmed to a startup profile of 2 functions$/m);
    expect(stdout).toMatch(/^ {2}2 of 9 functions compiled, \d+ B of instructions in /m);
    const { profile: shown, native } = JSON.parse((await inspect('trimmed/sample.elf', '--json')).stdout) as {
      profile: string;
      native: { functions: number; executed: number; compiled: number; largest: { index: number }[] }[];
    };
    expect(shown).toBe(profile);
    expect(native).toMatchObject([{ functions: 9, executed: 2, compiled: 2 }]);
    expect(native[0]?.largest.map(({ index }) => index).toSorted()).toEqual([4, 9]);

    // The layout is known, although no function is compiled.
    expect((await inspect('trimmed/no-native.elf')).stdout).toMatch(
      /trimmed to a startup profile of 0 functions\n.*\n {2}0 of 1 functions compiled, 0 B of instructions/,
    );
  });

  it('prints no control characters of names', async () => {
    const name = '\u001b[31mred\u0007';
    const encoded = new TextEncoder().encode(name);
    const module = moduleOf(
      wasmSection(1, 1, 0x60, 0, 0),
      wasmSection(3, 1, 0),
      wasmSection(7, 1, encoded.length, ...encoded, 0, 0),
      wasmSection(10, 1, 2, 0, 0x0b),
    );
    writeFileSync(path.join(folder, 'names.wasm'), module);
    const compiled = await compileCommand(['names.wasm', '-o', '.'], { cwd: folder });
    expect(compiled.exitCode).toBe(0);
    const { exitCode, stdout } = await inspect('names.elf');
    expect(exitCode).toBe(0);
    expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
    expect(stdout).toContain('export function [31mred () → ()');
  });

  it.each([
    ['a wasm file', 'sample.wasm', () => sample(), /sample\.wasm.*ELF/],
    [
      'text',
      'text.elf',
      () => Buffer.from('hello, world, how are you today? I am fine.'.repeat(9)),
      /text\.elf.*ELF/,
    ],
    ['an empty file', 'empty.elf', () => Buffer.alloc(0), /empty\.elf.*ELF/],
    [
      'another ELF file',
      'true.elf',
      () => readFileSync('/bin/true'),
      /true\.elf is not a usable precompiled artifact/,
    ],
    ['half an artifact', 'half.elf', () => read('sample.elf').subarray(0, 70_000), /half\.elf/],
    [
      'an artifact with damaged wire bytes',
      'wire.elf',
      () => read('sample.elf').fill(9, 65_600, 65_601),
      /wire\.elf.*section \.wasm is damaged/,
    ],
    [
      'an artifact that was changed',
      'last.elf',
      () => read('sample.elf').fill(9, 140_000, 140_001),
      /last\.elf/,
    ],
  ])('exits with code 1 for %s', async (_, name, contents, message) => {
    writeFileSync(path.join(folder, name), contents());
    for (const args of [[name], [name, '--json']]) {
      const { exitCode, stdout, stderr } = await inspect(...args);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      expect(stderr).toMatch(message);
      expect(stderr).toMatch(/^wasm-precompile: /);
      expect(stderr).not.toMatch(/^ +at /m);
    }
  });

  it.each([
    ['missing.elf', /missing\.elf: cannot be read: ENOENT/],
    ['folder', /folder: cannot be read: EISDIR/],
  ])('fails if %s cannot be read', async (name, message) => {
    mkdirSync(path.join(folder, 'folder'), { recursive: true });
    const { exitCode, stderr } = await inspect(name);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(message);
  });

  it.each([
    ['no file', [], /missing required argument 'file'/],
    ['two files', ['sample.elf', 'sample.o'], /too many arguments/],
    ['an unknown option', ['sample.elf', '--xml'], /unknown option '--xml'/],
  ])('exits with code 2 for %s', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await inspect(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });
});
