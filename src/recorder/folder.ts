/**
 * The folder that the processes of a run write to, of a training or of a measured start, and the command reads:
 *
 * | file                   | by                | is                                                              |
 * | ---------------------- | ----------------- | --------------------------------------------------------------- |
 * | `<pid>.process`        | each process      | at its start: {@link RecordedProcess}                           |
 * | `<hash>.wasm`          | whoever is first  | wire bytes; the hash is their SHA-256                           |
 * | `<pid>.<hash>.loaded`  | whoever loads it  | before it is compiled: {@link LoadedModule}                     |
 * | `<pid>.<hash>.code`    | its main thread   | at its end: what V8 serialized                                  |
 * | `<pid>.<hash>.result`  | its main thread   | after the code: {@link ModuleResult}                            |
 * | `<pid>.<n>.starts`     | each thread       | of a measured start, at its end: {@link ObservedStartups}         |
 * | `<pid>.end`            | its main thread   | after all of these: empty                                       |
 *
 * All but the code and the wire bytes are JSON. Files appear whole: what is missing was not finished.
 */
import fs from 'node:fs';

/** The environment variable with the folder's path. */
export const FOLDER_VARIABLE = 'WASM_PRECOMPILE_RECORD';

export interface RecordedProcess {
  pid: number;
  /** `process.versions.node`. */
  node: string;
  /** `process.versions.v8`. */
  v8: string;
  /** What it runs: file and arguments. */
  command: string[];
}

export interface LoadedModule {
  /** Path of the artifact or wasm file that the plugin's runtime read. */
  file?: string;
  /** URL of a streamed response. */
  url?: string;
}

export type ModuleResult =
  | {
      kind: 'code';
      /** That the code was made with; not in its header, since the recorder changes flags. Missing where it is not known. */
      flagHash?: number | undefined;
      /** The function that was optimised because V8 serializes nothing else, and whether it had been executed before. */
      forced?: ForcedFunction;
    }
  /** No function can have been executed. */
  | { kind: 'unused' }
  /** The bytes are not a module. */
  | { kind: 'invalid' }
  | { kind: 'failed'; reason: string };

export interface ForcedFunction {
  /** In the function index space. */
  index: number;
  executed: boolean;
}

/** What one thread saw. */
export interface ObservedStartups {
  /** Milliseconds since 1970 at which its times are 0. */
  timeOrigin: number;
  starts: ObservedStartup[];
}

/** How one module started in one thread. */
export interface ObservedStartup {
  /** Path of the artifact or wasm file that the plugin's runtime read. */
  file?: string;
  /** Of the name section, where the program compiled the bytes itself. */
  name?: string;
  /** URL of a streamed response. */
  url?: string;
  /** Where the program compiled the bytes itself. */
  wireSize?: number;
  /** `precompiled`, `compiled` (by the plugin's runtime, which has native code), `plain`. */
  mode: string;
  /** In the order in which they ended, in milliseconds from the start of the thread. */
  steps: ObservedStep[];
  /** Compiled and instantiated by one call: the step `load` is both. */
  whole?: true;
  /** An instance was seen. */
  watched?: boolean;
  /** Why the first call cannot be seen. */
  unwatchable?: string;
}

export interface ObservedStep {
  name: 'map' | 'check' | 'load' | 'instantiate' | 'first call';
  start: number;
  end: number;
  /** Of the first call: the export that was called. */
  detail?: string;
}

// Programs replace functions of `fs` for themselves (graceful-fs, mocks).
const { renameSync, writeFileSync, readFileSync } = fs;

let files = 0;

/** One process's view of the folder. Everything throws what `fs` does. */
export class RecordFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param thread tells the temporary files of a process's threads apart */
  write(name: string, contents: string | Uint8Array, thread = 0): void {
    const file = `${this.#folder}/${name}`;
    const temporary = `${file}.${process.pid}-${thread}-${files++}.tmp`;
    writeFileSync(temporary, contents);
    renameSync(temporary, file);
  }

  has(name: string): boolean {
    return fs.existsSync(`${this.#folder}/${name}`);
  }

  read(name: string): Uint8Array<ArrayBuffer> {
    return readFileSync(`${this.#folder}/${name}`) as Uint8Array<ArrayBuffer>;
  }
}

/** Names of the files above. */
export const names = {
  process: (pid: number) => `${pid}.process`,
  wire: (hash: string) => `${hash}.wasm`,
  loaded: (pid: number, hash: string) => `${pid}.${hash}.loaded`,
  code: (pid: number, hash: string) => `${pid}.${hash}.code`,
  result: (pid: number, hash: string) => `${pid}.${hash}.result`,
  starts: (pid: number, thread: number) => `${pid}.${thread}.starts`,
  end: (pid: number) => `${pid}.end`,
};
