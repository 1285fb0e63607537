// @ts-check
/**
 * Runs a workload with a module, original or split, and prints digests of its results: `node use.js <workload>
 * <primary> <memory> <secondary>…`. An empty `<memory>` stands for a memory that is not separate. It is plain
 * JavaScript, because it runs as a process of its own.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { registerPrimary, intercept } from '../../dist/runtime/shared/link.js';
import { memoryFrom } from './memory-from-file.js';
import { WORKLOADS } from '../support/workloads.js';

const [, , name = '', file = '', memory = '', ...files] = process.argv;
const workload = WORKLOADS[name];
const [primary, ...secondaries] = [file, ...files].map((path) => new WebAssembly.Module(readFileSync(path)));
if (!workload || !primary) throw new Error(`nothing to do for ${name}`);
let loaded = 0;
if (secondaries.length > 0) {
  registerPrimary(primary, {
    loadSecondary(secondary) {
      loaded++;
      const module = secondaries[secondary - 1];
      if (!module) throw new Error(`there is no secondary ${secondary}`);
      return module;
    },
    createMemory: memoryFrom(memory),
  });
  intercept();
}
const { instantiate, call } = await workload.prepare();
await instantiate(primary);
const results = [await call(), await call()];
const digests = results.map((result) =>
  createHash('sha256')
    .update(result instanceof Uint8Array ? result : JSON.stringify(result))
    .digest('hex'),
);
writeSync(1, JSON.stringify({ digests, loaded }));
process.exit();
