import { readFile } from 'node:fs/promises';
import type { ReportData } from '../../src/report/report-data.ts';

/** Reads the data of a page from its file. */
export async function readReport(file: string): Promise<ReportData> {
  const html = await readFile(file, 'utf8');
  const [, json = ''] = /<script type="application\/json" id="data">(.*)<\/script>/.exec(html) ?? [];
  return JSON.parse(json) as ReportData;
}
