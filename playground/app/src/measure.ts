/** `node measure.js <module>`: starts one module in this process and prints a `Sample` as JSON. */
import { existsSync, readFileSync } from 'node:fs';
import { isModuleName, MODULES, type ModuleName } from './modules/index.ts';
import { digest, type StartTimes } from './start.ts';

export interface Sample {
  module: ModuleName;
  times: StartTimes;
  /** SHA-256 of the first result. */
  digest: string;
  /** Peak resident set size of the process, in MiB. */
  peakMemory: number;
}

const STATUS = '/proc/self/status';

const name = process.argv[2];
if (!isModuleName(name)) {
  throw new Error(`Expected one of ${Object.keys(MODULES).join(', ')}; found ${name ?? 'nothing'}`);
}
const { start } = await MODULES[name]();
const { result, times } = await start();
// Before the digest, which is not part of the start.
const peakMemory = readPeakMemory();
const sample: Sample = { module: name, times, digest: digest(result), peakMemory };
console.log(JSON.stringify(sample));

/** Linux counts the parent process, as it was before `exec`, into `maxRSS`; its own file does not. */
function readPeakMemory(): number {
  const kibibytes = existsSync(STATUS)
    ? Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(STATUS, 'utf8'))?.[1])
    : process.resourceUsage().maxRSS;
  return kibibytes / 1024;
}
