/**
 * The manifest of an artifact in generated code: JSON with numbers of fixed width, in a string.
 *
 * Training may trim native code after the bundler has written its output. The new manifest then has the same length and
 * replaces the old one without moving code that source maps describe. It is a string because minifiers rewrite numbers
 * and object literals, but leave strings unchanged.
 */
import type {
  ArtifactManifest,
  MemoryEntry,
  SecondaryEntry,
  SegmentEntry,
  SplitEntry,
} from '../../runtime/shared/manifest.ts';

/** Digits of the largest integer that JavaScript can hold exactly. */
const WIDTH = String(Number.MAX_SAFE_INTEGER).length;

/**
 * Formats a manifest as text without single quotes, backslashes or line ends.
 *
 * @param width characters to pad the text to: see {@link reserveSplit}
 */
export function formatManifest(manifest: ArtifactManifest, width = 0): string {
  const { size, buildId, buildIdOffset, wire, native, split } = manifest;
  const natives = native.map(
    ({ engine, node, cpu, ...segment }) =>
      `${JSON.stringify({ engine, node, cpu }).slice(0, -1)},${formatSegment(segment)}}`,
  );
  const head = `"size":${pad(size)},"buildId":"${buildId}","buildIdOffset":${pad(buildIdOffset)}`;
  const modules = `"wire":{${formatSegment(wire)}},"native":[${natives.join(',')}]`;
  return `{${head},${modules}${split ? `,"split":${formatSplit(split)}` : ''}}`.padEnd(width);
}

/**
 * Returns how many characters the manifest takes if the module is split after training.
 *
 * @param secondariesLimit how many secondary modules there may be, each with native code for all targets
 */
export function reserveSplit(manifest: ArtifactManifest, secondariesLimit: number): number {
  if (secondariesLimit === 0) return formatManifest(manifest).length;
  const { wire, native } = manifest;
  const secondary: SecondaryEntry = { wire, native: native.map(() => wire) };
  const secondaries = Array.from({ length: secondariesLimit }, () => secondary);
  return formatManifest({
    ...manifest,
    split: {
      secondaries,
      memory: { ...wire, initial: 0, maximum: 0 },
      full: wire,
      plan: wire,
      original: wire,
    },
  }).length;
}

/** Returns the expression for a manifest in generated code. */
export function manifestExpression(manifest: ArtifactManifest, width?: number): string {
  return `/* @__PURE__ */ JSON.parse('${formatManifest(manifest, width)}')`;
}

function formatSplit({ secondaries, memory, full, plan, original }: SplitEntry): string {
  const each = secondaries.map(({ wire, native }) => {
    const natives = native.map((segment) => (segment ? `{${formatSegment(segment)}}` : 'null'));
    return `{"wire":{${formatSegment(wire)}},"native":[${natives.join(',')}]}`;
  });
  const joined = `"size":${pad(original.size)},"crc32":${pad(original.crc32)}`;
  const apart = memory ? `"memory":{${formatMemory(memory)}},` : '';
  const filling = full ? `"full":{${formatSegment(full)}},` : '';
  return `{"secondaries":[${each.join(',')}],${apart}${filling}"plan":{${formatSegment(plan)}},"original":{${joined}}}`;
}

function formatMemory({ initial, maximum, ...segment }: MemoryEntry): string {
  return `${formatSegment(segment)},"initial":${pad(initial)},"maximum":${pad(maximum)}`;
}

function formatSegment({ offset, size, crc32 }: SegmentEntry): string {
  return `"offset":${pad(offset)},"size":${pad(size)},"crc32":${pad(crc32)}`;
}

function pad(value: number): string {
  return String(value).padStart(WIDTH);
}
