// @ts-check
/**
 * Generates random wasm modules with Binaryen's wasm-opt, many in one process: the command takes half a second
 * for each, mostly to load itself. The argument is a JSON file with the arguments of each run. It is plain
 * JavaScript, because it runs as a process of its own.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

const [, , command = '', runsFile = ''] = process.argv;
const script = new Function(
  'Module',
  'require',
  'module',
  '__filename',
  '__dirname',
  readFileSync(command, 'utf8').replace(/^#!.*/, ''),
);

/** wasm-opt itself, compiled by the first run. @type {WebAssembly.Module | undefined} */
let compiled;
const { instantiate } = WebAssembly;
WebAssembly.instantiate = /** @type {any} */ (
  async (/** @type {BufferSource} */ bytes, /** @type {WebAssembly.Imports} */ imports) => {
    compiled ??= await WebAssembly.compile(bytes);
    return { module: compiled, instance: await instantiate(compiled, imports) };
  }
);

/** Leaves the exit code in `process.exitCode`. @param {string[]} args */
function run(args) {
  return new Promise((resolve) => {
    const module = compiled;
    script(
      {
        arguments: args,
        postRun: resolve,
        printErr: () => {},
        ...(module && {
          instantiateWasm: (
            /** @type {WebAssembly.Imports} */ imports,
            /** @type {(instance: WebAssembly.Instance) => void} */ done,
          ) => done(new WebAssembly.Instance(module, imports)),
        }),
      },
      createRequire(import.meta.url),
      {},
      command,
      dirname(command),
    );
  });
}

/** @type {string[][]} */
const runs = JSON.parse(readFileSync(runsFile, 'utf8'));
for (const args of runs) await run(args);
