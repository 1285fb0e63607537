/** The README's table of bundlers, import forms and output formats matches the results of builds. */
import { appendFile } from 'node:fs/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { README, readSection } from '../../playground/support/readme.ts';
import { HAS_CHROMIUM, launchChromium } from '../support/chromium.ts';
import { FORMS, MATRIX_BUNDLERS, parseMatrix, runCell } from '../support/matrix.ts';
import { type Format, FORMATS, LABELS } from '../support/matrix-labels.ts';

/** A file that receives the results instead, from which matrix-readme.ts writes the table. */
const { WASM_MATRIX: recording } = process.env;

const table = parseMatrix(await readSection(README, 'matrix'));

let browser: Browser | undefined;

beforeAll(async () => {
  if (HAS_CHROMIUM) browser = await launchChromium();
});

afterAll(() => browser?.close());

describe.each(MATRIX_BUNDLERS)('%s', (bundler) => {
  for (const format of Object.keys(FORMATS) as Format[]) {
    test.skipIf(format === 'browser' && !HAS_CHROMIUM)(
      `gives the README's results, format ${format}`,
      async () => {
        const row: Record<string, string> = {};
        for (const form of FORMS) row[form.label] = await runCell(bundler, form, format, browser);
        if (recording === undefined) expect(row).toEqual(table.get(LABELS[bundler])?.get(FORMATS[format]));
        else await appendFile(recording, `${JSON.stringify({ bundler, format, row })}\n`);
      },
    );
  }
});
