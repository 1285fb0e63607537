/**
 * The manifest of an artifact as the glue code holds it: JSON with numbers of fixed width, in a string. Native code may be
 * trimmed after the bundler has written its output; another manifest of the same artifact then has the same length, and
 * takes the old one's place without moving anything that source maps tell about. A string, because minifiers rewrite
 * numbers and object literals, and leave strings alone.
 */
import type {
  ArtifactManifest,
  MemoryEntry,
  SecondaryEntry,
  SegmentEntry,
  SplitEntry,
} from '../../runtime/shared/manifest.ts';

/** Digits of the largest whole number that JavaScript can hold exactly. */
const WIDTH = String(Number.MAX_SAFE_INTEGER).length;

/**
 * The manifest as text without quotes of JavaScript's other kind, backslashes or line ends.
 *
 * @param width characters to fill up to: see {@link reserveSplit}
 */
export function formatManifest(manifest: ArtifactManifest, width = 0): string {
  const { size, buildId, buildIdOffset, wire, native, split } = manifest;
  const natives = native.map(
    ({ engine, node, cpu, ...segment }) =>
      `${JSON.stringify({ engine, node, cpu }).slice(0, -1)},${formatSegment(segment)}}`,
  );
  const head = `"size":${pad(size)},"buildId":"${buildId}","buildIdOffset":${pad(buildIdOffset)}`;
  const parts = `"wire":{${formatSegment(wire)}},"native":[${natives.join(',')}]`;
  return `{${head},${parts}${split ? `,"split":${formatSplit(split)}` : ''}}`.padEnd(width);
}

/** How many characters a manifest takes if the module is split in some number of parts later, for all of its targets. */
export function reserveSplit(manifest: ArtifactManifest, parts: number): number {
  if (parts === 0) return formatManifest(manifest).length;
  const { wire, native } = manifest;
  const part: SecondaryEntry = { wire, native: native.map(() => wire) };
  const secondaries = Array.from({ length: parts }, () => part);
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

/** The expression that stands for the manifest in glue code. */
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
