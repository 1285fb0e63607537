import { readFunctionBodies } from '../binary/code.ts';
import { readModule } from '../binary/module.ts';
import { PRIMARY } from './owners.ts';

/**
 * Which part has which functions, from the parts themselves: the owner of a function has its body as the module has it.
 *
 * @param wire the whole module
 * @param parts the primary, then the secondaries
 * @returns by part, indices in the function index space, ascending
 */
export function findOwners(wire: Uint8Array, parts: readonly Uint8Array[]): number[][] {
  const { importedFunctions } = readModule(wire);
  const bodies = parts.map(bodiesOf);
  const owned: number[][] = parts.map(() => []);
  for (const [i, body] of bodiesOf(wire).entries()) {
    const owner = bodies.findIndex((own) => own[i] !== undefined && Buffer.compare(own[i], body) === 0);
    owned[Math.max(owner, PRIMARY)]?.push(importedFunctions + i);
  }
  return owned;
}

function bodiesOf(bytes: Uint8Array): Uint8Array[] {
  const bodies = readFunctionBodies(bytes, readModule(bytes));
  return bodies.map(({ offset, size }) => bytes.subarray(offset, offset + size));
}
