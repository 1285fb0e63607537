// @ts-check
import { setFlagsFromString } from 'node:v8';
import vm from 'node:vm';

/**
 * A function that calls V8's test natives: their syntax is allowed only while it is compiled.
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
