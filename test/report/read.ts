import { readFile } from 'node:fs/promises';
import type { ReportData } from '../../src/report/data.ts';

/** What a page shows, read back from its file. */
export async function readReport(file: string): Promise<ReportData> {
  const html = await readFile(file, 'utf8');
  const [, json = ''] = /<script type="application\/json" id="data">(.*)<\/script>/.exec(html) ?? [];
  return JSON.parse(json) as ReportData;
}
