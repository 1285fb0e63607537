/**
 * The map of an artifact as the glue code holds it: JSON with numbers of fixed width, in a string. Native code may be
 * trimmed after the bundler has written its output; another map of the same artifact then has the same length, and
 * takes the old one's place without moving anything that source maps tell about. A string, because minifiers rewrite
 * numbers and object literals, and leave strings alone.
 */
import type { ArtifactMap, SegmentMap } from '../runtime/map.ts';

/** Digits of the largest whole number that JavaScript can hold exactly. */
const WIDTH = String(Number.MAX_SAFE_INTEGER).length;

/** The map as text without quotes of JavaScript's other kind, backslashes or line ends. */
export function formatMap({ size, buildId, buildIdOffset, wire, native }: ArtifactMap): string {
  const natives = native.map(
    ({ engine, node, cpu, ...segment }) =>
      `${JSON.stringify({ engine, node, cpu }).slice(0, -1)},${formatSegment(segment)}}`,
  );
  return `{"size":${pad(size)},"buildId":"${buildId}","buildIdOffset":${pad(buildIdOffset)},"wire":{${formatSegment(wire)}},"native":[${natives.join(',')}]}`;
}

/** The expression that stands for the map in glue code. */
export function mapExpression(map: ArtifactMap): string {
  return `/* @__PURE__ */ JSON.parse('${formatMap(map)}')`;
}

function formatSegment({ offset, size, crc32 }: SegmentMap): string {
  return `"offset":${pad(offset)},"size":${pad(size)},"crc32":${pad(crc32)}`;
}

function pad(value: number): string {
  return String(value).padStart(WIDTH);
}
