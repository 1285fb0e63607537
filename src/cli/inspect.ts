/** `wasm-precompile inspect`: what is in an artifact. */
import { Command } from 'commander';
import type { Artifact } from '../artifact/contents.ts';
import { largestFunctions } from '../artifact/largest.ts';
import {
  secondaryNativeSection,
  secondarySection,
  SECTION_FULL,
  SECTION_MEMORY,
  SECTION_PLAN,
} from '../artifact/sections.ts';
import { unpackArtifact } from '../artifact/unpack.ts';
import type { CpuRequirements } from '../runtime/shared/manifest.ts';
import { readBytes } from '../build/compile/pipeline.ts';
import { formatBytes } from '../common/format-bytes.ts';
import { findOwners } from '../wasm/split/find-owners.ts';
import { formatTable } from './format.ts';
import { describeInterface } from './interface.ts';

const LARGEST_FUNCTIONS = 10;

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('show what is in an artifact, after checking it whole')
    .argument('<file>', 'an artifact (.elf) or object file (.o)')
    .option('--json', 'print as JSON')
    .action(inspect);
}

async function inspect(file: string, { json }: { json?: true }): Promise<void> {
  const summary = summarize(unpackArtifact(await readBytes(file), file));
  console.log(json ? JSON.stringify(summary, null, 2) : describe(file, summary));
}

type Summary = ReturnType<typeof summarize>;

function summarize(artifact: Artifact) {
  const { form, formatVersion, producer, machine, sourceSha256, manifest, nativeSections } = artifact;
  return {
    form,
    formatVersion,
    producer,
    machine,
    sourceSha256,
    buildId: manifest.buildId,
    size: manifest.size,
    segments: [
      { section: '.wasm', ...manifest.wire, ...(artifact.compressed && { inflated: artifact.wire.length }) },
      ...manifest.native.map((segment, index) => ({ section: nativeSections[index] ?? '', ...segment })),
      ...segmentsOfParts(artifact),
    ],
    parts: summarizeParts(artifact),
    interface: artifact.interface,
    profile: artifact.profile,
    native: artifact.native.map((code) => ({
      engine: code.engine,
      release: code.release,
      cpu: { level: code.cpu.level, features: namesOf(code.cpu) },
      size: code.bytes.length,
      ...code.statistics,
      largest: largestFunctions(code, artifact.functionNames, LARGEST_FUNCTIONS),
    })),
  };
}

/** Of a split module, what is not its primary. */
function segmentsOfParts({ manifest, nativeSections }: Artifact) {
  if (!manifest.split) return [];
  const parts = manifest.split.secondaries.flatMap(({ wire, native }, i) => [
    { section: secondarySection(i + 1), ...wire },
    ...native.flatMap((segment, target) =>
      segment ? [{ section: secondaryNativeSection(i + 1, nativeSections[target] ?? ''), ...segment }] : [],
    ),
  ]);
  const { memory, full, plan: recipe } = manifest.split;
  return [
    ...(memory ? [{ section: SECTION_MEMORY, ...memory }] : []),
    ...parts,
    { section: SECTION_PLAN, ...recipe },
    ...(full ? [{ section: SECTION_FULL, ...full }] : []),
  ];
}

/** What is in which part; undefined where the module is not split. */
function summarizeParts({ split, wire }: Artifact) {
  if (!split) return undefined;
  const parts = [split.primary, ...split.secondaries.map((secondary) => secondary.wire)];
  const owned = findOwners(wire, parts);
  return parts.map((bytes, part) => ({ part, size: bytes.length, functions: owned[part] ?? [] }));
}

/** The CPU features that native code may use. */
function namesOf({ needs, features }: CpuRequirements): string[] {
  return features.split(' ').filter((_, bit) => needs & (1 << bit));
}

function describe(file: string, summary: Summary): string {
  const isApart = summary.segments.some(({ section }) => section === SECTION_MEMORY);
  const first = isApart ? `0 and ${SECTION_MEMORY} are` : '0 is';
  const lines = [
    `${file}: ${summary.form === 'object' ? 'object file' : 'artifact'} of ${formatBytes(summary.size)}, format ${summary.formatVersion}, ${summary.machine}`,
    `  made by   ${summary.producer}`,
    `  source    SHA-256 ${summary.sourceSha256}`,
    `  build id  ${summary.buildId}`,
    '',
    'segments',
    indent(
      formatTable([
        ['section', 'offset', 'size', 'CRC-32', 'engine key'],
        ...summary.segments.map((segment) => [
          segment.section,
          segment.offset,
          segment.size,
          segment.crc32.toString(16).padStart(8, '0'),
          'engine' in segment ? String(segment.engine) : '',
          'inflated' in segment ? `compressed by zlib, ${segment.inflated} bytes inflated` : '',
        ]),
      ]),
    ),
    '',
    ...(summary.parts
      ? [
          `parts: ${first} loaded at the start, others at the first call of a function in them (--json lists the functions)${describeLast(summary)}`,
          indent(
            formatTable([
              ['part', 'wasm', 'functions'],
              ...summary.parts.map(({ part, size, functions }) => [part, size, functions.length]),
            ]),
          ),
          '',
        ]
      : []),
    'interface',
    indent(describeInterface(summary.interface)),
  ];
  for (const {
    engine,
    release,
    cpu,
    size: nativeSize,
    functions,
    executed,
    compiled,
    codeSize,
    largest,
  } of summary.native) {
    const trimmed = executed === undefined ? '' : `, trimmed to a startup profile of ${executed} functions`;
    lines.push(
      '',
      `native code of ${engine}${trimmed}`,
      `  for ${release} on ${cpu.level}${cpu.features.length > 0 ? ` (${cpu.features.join(', ')})` : ''}`,
      compiled === 0 && executed === undefined
        ? '  layout unknown: functions are not listed'
        : `  ${compiled} of ${functions} functions compiled, ${formatBytes(codeSize)} of instructions in ${formatBytes(nativeSize)}; the largest:`,
      indent(formatTable(largest.map(({ index, name, size }) => [size, `[${index}]`, name]))),
    );
  }
  return lines.join('\n').trimEnd();
}

/** Where the primary is lean, native code has the functions of the last part. */
function describeLast({ segments, parts = [] }: Summary): string {
  if (!segments.some(({ section }) => section === SECTION_FULL)) return '';
  return `.\n  Functions of part ${parts.length - 1} are called in native code; it is loaded where V8 does without, as for a debugger`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
