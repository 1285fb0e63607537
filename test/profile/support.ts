/** Profiles and modules for tests. */
import { createHash } from 'node:crypto';
import { createProfile } from '../../src/profile/create.ts';
import type { Profile, ProfiledFunction } from '../../src/profile/startup-profile.ts';
import { readModule } from '../../src/wasm/binary/module.ts';
import { wat } from '../support/wat.ts';

/** Numbers from 0 below 1, the same ones for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The SHA-256 of a text, for tests that need any hash. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A function of a profile. */
export function entry(index: number, rest: Partial<ProfiledFunction> = {}): ProfiledFunction {
  return { index, name: undefined, body: sha256(`body ${index}`).slice(0, 16), optimised: false, ...rest };
}

/** A profile of a module that its name and version identify. */
export function profileOf(name: string, executed: ProfiledFunction[], version = '1'): Profile {
  return { name, sha256: sha256(`${name} ${version}`), functions: 1000, executed };
}

/** The text of function bodies by name. Each function takes an i32 and returns one; they may call each other. */
export type Bodies = Record<string, string>;

/** A module with two imported functions and the given ones, in that order, with a name section. */
export function build(bodies: Bodies, imports = ['log', 'now']): Uint8Array {
  const functions = Object.entries(bodies).map(
    ([name, body]) => `(func $${name} (param i32) (result i32) ${body})`,
  );
  const imported = imports.map((name) => `(import "env" "${name}" (func $${name} (param i32) (result i32)))`);
  return wat(`(module ${imported.join(' ')} (memory 1) ${functions.join('\n')})`);
}

/** The profile of a module in which the named functions were executed. */
export function profileOfNames(wire: Uint8Array, names: readonly string[]): Profile {
  const known = readModule(wire).functionNames();
  const executed = [...known].filter(([, name]) => names.includes(name));
  return createProfile(
    'module',
    wire,
    executed.map(([index]) => ({ index, optimised: false })),
  );
}

/** The profile of a module all of whose functions were executed. */
export function profileOfAll(name: string, wire: Uint8Array): Profile {
  const { importedFunctions, functions } = readModule(wire);
  const executed = Array.from({ length: functions }, (_, position) => ({
    index: importedFunctions + position,
    optimised: position % 7 === 0,
  }));
  return createProfile(name, wire, executed);
}
