/** `wasm-precompile inspect`: checks an artifact and shows its contents. */
import { Command } from 'commander';
import type { Artifact } from '../../artifact/contents.ts';
import { largestFunctions } from '../../artifact/largest.ts';
import {
  secondaryNativeSection,
  secondarySection,
  SECTION_FULL,
  SECTION_MEMORY,
  SECTION_PLAN,
} from '../../artifact/section-names.ts';
import { unpackArtifact } from '../../artifact/unpack.ts';
import type { CpuRequirements } from '../../runtime/shared/manifest.ts';
import { readBytes } from '../../build/compile/read-source.ts';
import { formatBytes } from '../../common/format-bytes.ts';
import { locateFunctions } from '../../wasm/split/locate-functions.ts';
import { formatTable } from '../format-table.ts';
import { describeInterface } from '../describe-interface.ts';

const LARGEST_FUNCTIONS = 10;

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('check an artifact and show its contents')
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
      ...segmentsOfSplit(artifact),
    ],
    split: summarizeSplit(artifact),
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

/** Returns the segments of a split module besides those of its primary. */
function segmentsOfSplit({ manifest, nativeSections }: Artifact) {
  if (!manifest.split) return [];
  const secondaries = manifest.split.secondaries.flatMap(({ wire, native }, i) => [
    { section: secondarySection(i + 1), ...wire },
    ...native.flatMap((segment, target) =>
      segment ? [{ section: secondaryNativeSection(i + 1, nativeSections[target] ?? ''), ...segment }] : [],
    ),
  ]);
  const { memory, full, plan } = manifest.split;
  return [
    ...(memory ? [{ section: SECTION_MEMORY, ...memory }] : []),
    ...secondaries,
    { section: SECTION_PLAN, ...plan },
    ...(full ? [{ section: SECTION_FULL, ...full }] : []),
  ];
}

/** Lists the functions of each module after splitting; undefined if the module is not split. */
function summarizeSplit({ split, wire }: Artifact) {
  if (!split) return undefined;
  const wires = [split.primary, ...split.secondaries.map((secondary) => secondary.wire)];
  const owned = locateFunctions(wire, wires);
  const summarizeModule = (bytes: Uint8Array, index: number) => ({
    size: bytes.length,
    functions: owned[index] ?? [],
  });
  const [primary, ...secondaries] = wires.map(summarizeModule);
  return primary && { primary, secondaries };
}

/** Returns the names of the CPU features that native code may use. */
function namesOf({ needs, features }: CpuRequirements): string[] {
  return features.split(' ').filter((_, bit) => needs & (1 << bit));
}

function describe(file: string, summary: Summary): string {
  const lines = [
    `${file}: ${summary.form === 'object' ? 'object file' : 'artifact'} of ${formatBytes(summary.size)}, format ${summary.formatVersion}, ${summary.machine}`,
    `  producer  ${summary.producer}`,
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
          'inflated' in segment ? `compressed with zlib, ${segment.inflated} bytes inflated` : '',
        ]),
      ]),
    ),
    '',
    ...describeSplit(summary),
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

function describeSplit({ split, segments }: Summary): string[] {
  if (!split) return [];
  const has = (wanted: string) => segments.some(({ section }) => section === wanted);
  const { primary, secondaries } = split;
  return [
    'modules after splitting (--json lists their functions)',
    indent(
      formatTable([
        ['module', 'wasm', 'functions'],
        ['primary', primary.size, primary.functions.length],
        ...secondaries.map(({ size, functions }, index) => [
          `secondary ${index + 1}`,
          size,
          functions.length,
        ]),
      ]),
    ),
    has(SECTION_MEMORY)
      ? `  The primary and ${SECTION_MEMORY} are loaded at startup.`
      : '  The primary is loaded at startup.',
    '  A secondary is loaded at the first call of one of its functions.',
    // With a stubbed primary, the native code of the primary contains the functions of the last secondary.
    ...(has(SECTION_FULL)
      ? [
          `  The native code of the primary contains the functions of secondary ${secondaries.length}.`,
          '  That secondary is loaded only if V8 does not use the native code, for example for a debugger.',
        ]
      : []),
    '',
  ];
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
