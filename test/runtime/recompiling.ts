/** Programs that recompile: those of travel.ts, with a cache folder, and without waiting until they have been idle for long. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { type Program, type ProgramResult, type ProgramRun, runProgram } from './transfer.ts';

/** Loads once, and prints the result. */
const LOAD = 'print(use(create().loadSync()));';

/** A program that only loads, and ends long before it heals, unless it is told to. */
export function load(program: Program, run: ProgramRun): Promise<ProgramResult> {
  return runProgram(program, {
    script: LOAD,
    ...run,
    recompile: run.recompile && { delay: 60_000, ...run.recompile },
  });
}

/** Loads, and lives until healing has come to its end, good or bad: a file, a reason in the lock, or a debug line. */
export function loadAndRecompile(
  program: Program,
  folder: string,
  run: Omit<ProgramRun, 'script'>,
): Promise<ProgramResult> {
  const script = `
import fs from 'node:fs';
const folder = ${JSON.stringify(folder)};
const list = () => (fs.existsSync(folder) ? fs.readdirSync(folder) : []);
// A new file may get the inode of one that is gone.
const identify = (name, { ino, mtimeMs }) => [name, ino, mtimeMs].join();
const before = new Set(list().filter((name) => name.endsWith('.native')).map((name) => identify(name, fs.lstatSync(folder + '/' + name))));
let told = false;
const write = process.stderr.write;
process.stderr.write = function (text, ...others) {
  told ||= /healing is off|healing: off/.test(text);
  return write.call(this, text, ...others);
};
${LOAD}
const ended = () => told || list().some((name) => {
  const file = folder + '/' + name;
  try {
    const status = fs.lstatSync(file);
    const { size } = status;
    return name.endsWith('.native') ? !before.has(identify(name, status)) : name.endsWith('.lock') && size > 0;
  } catch {
    return false;
  }
});
const working = () => list().some((name) => name.endsWith('.work') || (name.endsWith('.lock') && fs.existsSync(folder + '/' + name) && fs.statSync(folder + '/' + name).size === 0));
while (!ended() || (!told && working())) await new Promise((resolve) => setTimeout(resolve, 20));`;
  return runProgram(program, { ...run, script });
}

/** The files of a cache folder with this ending, by their paths. */
export function filesOf(folder: string, ending = '.native'): string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(ending))
        .map((name) => path.join(folder, name))
    : [];
}

/** The only healed file. */
export function onlyFile(folder: string): string {
  const [file, ...others] = filesOf(folder);
  if (file === undefined || others.length > 0) throw new Error(`not one healed file in ${folder}`);
  return file;
}
