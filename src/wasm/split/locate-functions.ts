import { readFunctionBodies } from '../binary/code.ts';
import { readModule } from '../binary/module.ts';
import { PRIMARY } from './assign-functions.ts';

/**
 * Finds which module of a split has which functions. A function is in the module that has the same body for it as the
 * original module.
 *
 * @param wire the original module
 * @param modules the primary, then the secondaries
 * @returns by module: indices in the function index space, ascending
 */
export function locateFunctions(wire: Uint8Array, modules: readonly Uint8Array[]): number[][] {
  const { importedFunctions } = readModule(wire);
  const bodies = modules.map(bodiesOf);
  const located: number[][] = modules.map(() => []);
  for (const [i, body] of bodiesOf(wire).entries()) {
    const module = bodies.findIndex((own) => own[i] !== undefined && Buffer.compare(own[i], body) === 0);
    located[Math.max(module, PRIMARY)]?.push(importedFunctions + i);
  }
  return located;
}

function bodiesOf(bytes: Uint8Array): Uint8Array[] {
  const bodies = readFunctionBodies(bytes, readModule(bytes));
  return bodies.map(({ offset, size }) => bytes.subarray(offset, offset + size));
}
