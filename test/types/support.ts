/** Projects that tsc checks. */
import { join } from 'node:path';
import { execa } from 'execa';
import { CHECKOUT, type Project } from '../support/project.ts';

const TSC = join(CHECKOUT, 'node_modules/typescript/bin/tsc');

/** TypeScript's settings by the `moduleResolution` of the declarations. */
export const SETTINGS = {
  bundler: { module: 'ESNext', moduleResolution: 'Bundler' },
  nodenext: { module: 'NodeNext', moduleResolution: 'NodeNext', allowArbitraryExtensions: true },
};

/** A file for programs with a check that a type is exactly the expected one. */
export const EXACTLY = `
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export declare function exactly<A>(): <B>(value: B) => Equal<A, B>;
`;

/**
 * Checks all TypeScript of a project, declarations included.
 *
 * @returns the output of tsc: empty without errors
 */
export async function check(project: Project, settings: object): Promise<string> {
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2023', 'DOM'],
    strict: true,
    noUncheckedSideEffectImports: true,
    noEmit: true,
    skipDefaultLibCheck: true,
    types: [],
    ...settings,
  };
  await project.write({ 'tsconfig.json': JSON.stringify({ compilerOptions, include: ['src'] }) });
  const { stdout, stderr } = await execa(process.execPath, [TSC, '-p', project.folder], { reject: false });
  return stdout + stderr;
}
