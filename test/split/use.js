// @ts-check
/**
 * Uses a module, whole or split, and prints a digest of what that gives: `node use.js <workload> <primary> <memory> <secondary>…`,
 * with nothing for a memory that is not apart. In a process of its own, so plain JavaScript.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { adopt, intercept } from '../../dist/runtime/shared/link.js';
import { memoryFrom } from './memory.js';
import { WORKLOADS } from '../support/workloads.js';

const [, , name = '', file = '', memory = '', ...files] = process.argv;
const workload = WORKLOADS[name];
const [primary, ...secondaries] = [file, ...files].map((path) => new WebAssembly.Module(readFileSync(path)));
if (!workload || !primary) throw new Error(`nothing to do for ${name}`);
let brought = 0;
if (secondaries.length > 0) {
  adopt(primary, {
    load(part) {
      brought++;
      const module = secondaries[part - 1];
      if (!module) throw new Error(`there is no part ${part}`);
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
writeSync(1, JSON.stringify({ digests, brought }));
process.exit();
