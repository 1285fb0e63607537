// @ts-check
/**
 * Uses a module, whole or split, and prints a digest of what that gives: `node use.js <workload> <primary> <secondary>…`. In a
 * process of its own, so plain JavaScript.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeSync } from 'node:fs';
import { adopt, intercept } from '../../dist/runtime/link.js';
import { WORKLOADS } from '../support/workloads.js';

const [, , name = '', ...files] = process.argv;
const workload = WORKLOADS[name];
const [primary, ...secondaries] = files.map((file) => new WebAssembly.Module(readFileSync(file)));
if (!workload || !primary) throw new Error(`nothing to do for ${name}`);
let brought = 0;
if (secondaries.length > 0) {
  adopt(primary, (part) => {
    brought++;
    const module = secondaries[part - 1];
    if (!module) throw new Error(`there is no part ${part}`);
    return module;
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
