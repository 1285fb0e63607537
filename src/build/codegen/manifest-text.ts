/**
 * The map of an artifact as the glue code holds it: JSON with numbers of fixed width, in a string. Native code may be
 * trimmed after the bundler has written its output; another map of the same artifact then has the same length, and
 * takes the old one's place without moving anything that source maps tell about. A string, because minifiers rewrite
 * numbers and object literals, and leave strings alone.
 */
import type { ArtifactMap, MemoryMap, PartMap, SegmentMap, SplitMap } from '../../runtime/shared/manifest.ts';

/** Digits of the largest whole number that JavaScript can hold exactly. */
const WIDTH = String(Number.MAX_SAFE_INTEGER).length;

/**
 * The map as text without quotes of JavaScript's other kind, backslashes or line ends.
 *
 * @param width characters to fill up to: see {@link reserveSplit}
 */
export function formatMap(map: ArtifactMap, width = 0): string {
  const { size, buildId, buildIdOffset, wire, native, split } = map;
  const natives = native.map(
    ({ engine, node, cpu, ...segment }) =>
      `${JSON.stringify({ engine, node, cpu }).slice(0, -1)},${formatSegment(segment)}}`,
  );
  const head = `"size":${pad(size)},"buildId":"${buildId}","buildIdOffset":${pad(buildIdOffset)}`;
  const parts = `"wire":{${formatSegment(wire)}},"native":[${natives.join(',')}]`;
  return `{${head},${parts}${split ? `,"split":${formatSplit(split)}` : ''}}`.padEnd(width);
}

/** How many characters a map takes if the module is split in some number of parts later, for all of its targets. */
export function reserveSplit(map: ArtifactMap, parts: number): number {
  if (parts === 0) return formatMap(map).length;
  const { wire, native } = map;
  const part: PartMap = { wire, native: native.map(() => wire) };
  const secondaries = Array.from({ length: parts }, () => part);
  return formatMap({
    ...map,
    split: {
      parts: secondaries,
      memory: { ...wire, initial: 0, maximum: 0 },
      full: wire,
      recipe: wire,
      whole: wire,
    },
  }).length;
}

/** The expression that stands for the map in glue code. */
export function mapExpression(map: ArtifactMap, width?: number): string {
  return `/* @__PURE__ */ JSON.parse('${formatMap(map, width)}')`;
}

function formatSplit({ parts, memory, full, recipe, whole }: SplitMap): string {
  const each = parts.map(({ wire, native }) => {
    const natives = native.map((segment) => (segment ? `{${formatSegment(segment)}}` : 'null'));
    return `{"wire":{${formatSegment(wire)}},"native":[${natives.join(',')}]}`;
  });
  const joined = `"size":${pad(whole.size)},"crc32":${pad(whole.crc32)}`;
  const apart = memory ? `"memory":{${formatMemory(memory)}},` : '';
  const filling = full ? `"full":{${formatSegment(full)}},` : '';
  return `{"parts":[${each.join(',')}],${apart}${filling}"recipe":{${formatSegment(recipe)}},"whole":{${joined}}}`;
}

function formatMemory({ initial, maximum, ...segment }: MemoryMap): string {
  return `${formatSegment(segment)},"initial":${pad(initial)},"maximum":${pad(maximum)}`;
}

function formatSegment({ offset, size, crc32 }: SegmentMap): string {
  return `"offset":${pad(offset)},"size":${pad(size)},"crc32":${pad(crc32)}`;
}

function pad(value: number): string {
  return String(value).padStart(WIDTH);
}
