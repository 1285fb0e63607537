/** Compares the bytes that a program passes to the engine with the module that an artifact was made for. */
import type { ArtifactManifest, SegmentEntry } from '../../shared/manifest.ts';
import { followPlan, planSources } from '../../shared/reassembly-plan.ts';
import type { Addon, Contents } from '../addon.ts';
import { builtin } from '../builtin.ts';
import { readRanges } from '../read-ranges.ts';

const { closeSync, openSync, readSync } = builtin('node:fs');
const { Buffer: Bytes } = builtin('node:buffer');
const { compare } = Bytes;

/**
 * Bytes that are read and compared at a time, without the addon: they stay in the processor's cache between the
 * two.
 */
const STEP = 256 * 1024;

/** Returns the size and the CRC-32 of the module as the program has it. */
export function originalOf({ wire, split }: ArtifactManifest): Pick<SegmentEntry, 'size' | 'crc32'> {
  return split?.original ?? wire;
}

/**
 * Returns whether the module that an artifact was made for has exactly these bytes.
 *
 * @param file path of the artifact
 * @param bytes as many as the module has
 * @param addon maps the file instead of reading it
 * @throws Error if the file cannot be read
 */
export function isEqual(
  file: string,
  manifest: ArtifactManifest,
  bytes: Uint8Array,
  addon: Addon | undefined,
): boolean {
  if (!manifest.split && !addon) return isEqualByReading(file, manifest.wire, bytes);
  const ranges = rangesOf(manifest);
  const contents = addon ? addon.map(file, ranges)() : read(file, ranges);
  if (!contents) return false;
  try {
    return isEqualInPieces(piecesFrom(file, contents, manifest), bytes);
  } finally {
    addon?.release(contents);
  }
}

/** Returns the module that an artifact was made for. */
export function readOriginal(file: string, manifest: ArtifactManifest): Uint8Array<ArrayBuffer> {
  const contents = read(file, rangesOf(manifest));
  return new Uint8Array(Bytes.concat(piecesFrom(file, contents, manifest)));
}

function read(file: string, ranges: readonly SegmentEntry[]): Contents {
  return readRanges(file, ranges, false).next().value as Contents;
}

/** The wire bytes; of a split module those that the reassembly plan refers to. They begin at the start of a page. */
function rangesOf({ wire, split }: ArtifactManifest): SegmentEntry[] {
  if (!split) return [wire];
  const modules = [wire, ...split.secondaries.map((secondary) => secondary.wire)];
  return planSources<SegmentEntry>(modules, split.memory);
}

/** @throws RangeError if the file is too short */
function piecesFrom(file: string, { segments }: Contents, { split }: ArtifactManifest): Uint8Array[] {
  const views = viewsOf(segments);
  if (!split) return views;
  // It cannot be mapped: it does not begin at the start of a page.
  const [plan] = viewsOf(read(file, [split.plan]).segments);
  return plan ? followPlan(views, plan) : [];
}

/** The addon leaves holes for segments that are not in the file. */
function viewsOf(segments: Contents['segments']): Uint8Array[] {
  return Array.from(segments, (segment) => {
    if (!segment) throw new RangeError('the file is too short');
    return new Uint8Array(segment);
  });
}

function isEqualInPieces(pieces: readonly Uint8Array[], bytes: Uint8Array): boolean {
  let end = 0;
  for (const piece of pieces) {
    const start = end;
    end += piece.length;
    if (compare(piece, bytes.subarray(start, end)) !== 0) return false;
  }
  return end === bytes.length;
}

function isEqualByReading(file: string, { offset }: SegmentEntry, bytes: Uint8Array): boolean {
  const fd = openSync(file, 'r');
  try {
    const step = Bytes.allocUnsafeSlow(Math.min(STEP, bytes.length));
    for (let at = 0; at < bytes.length; at += STEP) {
      const expected = bytes.subarray(at, at + STEP);
      const size = readSync(fd, step, 0, expected.length, offset + at);
      if (size !== expected.length || compare(step.subarray(0, size), expected) !== 0) return false;
    }
    return true;
  } finally {
    closeSync(fd);
  }
}
