// @ts-check
import { setFlagsFromString } from 'node:v8';
import vm from 'node:vm';

/**
 * Returns a function that calls V8's natives. Their syntax is enabled only while the function is compiled.
 *
 * @param {string} source
 */
export function withNatives(source) {
  setFlagsFromString('--allow-natives-syntax');
  try {
    return vm.runInThisContext(`(${source})`);
  } finally {
    setFlagsFromString('--no-allow-natives-syntax');
  }
}
