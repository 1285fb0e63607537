/** Programs with on-device compilation: those of program.ts, with a cache folder and a short idle time. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { type Program, type ProgramResult, type ProgramRun, runProgram } from './program.ts';

/** Loads once, and prints the result. */
const LOAD = 'print(use(create().loadSync()));';

/**
 * Runs a program that only loads, and ends long before on-device compilation starts, unless `run` sets another delay.
 */
export function load(program: Program, run: ProgramRun): Promise<ProgramResult> {
  return runProgram(program, {
    script: LOAD,
    ...run,
    recompile: run.recompile && { delay: 60_000, ...run.recompile },
  });
}

/**
 * Loads, and runs until on-device compilation has succeeded or failed: a file, a reason in the lock, or a debug line.
 */
export function loadAndRecompile(
  program: Program,
  folder: string,
  run: Omit<ProgramRun, 'script'>,
): Promise<ProgramResult> {
  const script = `
import fs from 'node:fs';
const folder = ${JSON.stringify(folder)};
const list = () => (fs.existsSync(folder) ? fs.readdirSync(folder) : []);
// A new file may get the inode of a removed one.
const identify = (name, { ino, mtimeMs }) => [name, ino, mtimeMs].join();
const before = new Set(list().filter((name) => name.endsWith('.native')).map((name) => identify(name, fs.lstatSync(folder + '/' + name))));
let isOff = false;
const write = process.stderr.write;
process.stderr.write = function (text, ...rest) {
  isOff ||= /on-device compilation is off|on-device compilation: off/.test(text);
  return write.call(this, text, ...rest);
};
${LOAD}
const ended = () => isOff || list().some((name) => {
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
while (!ended() || (!isOff && working())) await new Promise((resolve) => setTimeout(resolve, 20));`;
  return runProgram(program, { ...run, script });
}

/** Returns the paths of the files of a cache folder with this ending. */
export function filesOf(folder: string, ending = '.native'): string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(ending))
        .map((name) => path.join(folder, name))
    : [];
}

/** Returns the path of the only file with native code. */
export function onlyFile(folder: string): string {
  const [file, ...more] = filesOf(folder);
  if (file === undefined || more.length > 0) throw new Error(`expected one cached file in ${folder}`);
  return file;
}
