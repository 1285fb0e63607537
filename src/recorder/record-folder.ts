/**
 * The folder in which the processes of a training run or of a measured startup write, and which the command reads:
 *
 * | file                   | written by                  | contents                                                |
 * | ---------------------- | --------------------------- | ------------------------------------------------------- |
 * | `<pid>.process`        | each process, first         | {@link RecordedProcess}                                 |
 * | `<hash>.wasm`          | the first thread to load it | wire bytes; the hash is their SHA-256                   |
 * | `<pid>.<hash>.loaded`  | each thread that loads it   | {@link ModuleOrigin}, before the module is compiled     |
 * | `<pid>.<hash>.code`    | the main thread, at the end | what V8 serialized                                      |
 * | `<pid>.<hash>.result`  | the main thread             | {@link ModuleResult}, after the code                    |
 * | `<pid>.<n>.startups`   | each thread, at the end     | {@link ObservedStartups}; measured startups only        |
 * | `<pid>.end`            | the main thread, last       | empty                                                   |
 *
 * All files except the code and the wire bytes are JSON. Each file appears complete: a missing file was not finished.
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
  /** The program's file and arguments. */
  command: string[];
}

/** The source of a module. */
export interface ModuleOrigin {
  /** Path of the artifact or wasm file that the plugin's runtime read. */
  file?: string;
  /** URL of a streamed response. */
  url?: string;
}

export type ModuleResult =
  | {
      kind: 'code';
      /**
       * Flag hash of the program that produced the code. The header of the code has another one, because the recorder
       * changes flags. Undefined if unknown.
       */
      flagHash?: number | undefined;
      /** The function that the recorder optimised, because V8 serializes only modules with an optimised function. */
      forced?: ForcedFunction;
    }
  /** No function can have run. */
  | { kind: 'unused' }
  /** The bytes are not a module. */
  | { kind: 'invalid' }
  | { kind: 'failed'; reason: string };

export interface ForcedFunction {
  /** Function index. */
  index: number;
  /** Whether it ran before the recorder optimised it. */
  executed: boolean;
}

/** The startups that one thread observed. */
export interface ObservedStartups {
  /** The thread's time 0, in milliseconds since 1970. */
  timeOrigin: number;
  startups: ObservedStartup[];
}

/**
 * - `precompiled`: the plugin's runtime loaded native code
 * - `compiled`: the plugin's runtime has native code, but compiled the module
 * - `baseline`: as without the plugin
 */
export type StartupMode = 'precompiled' | 'compiled' | 'baseline';

/** The startup of one module in one thread. */
export interface ObservedStartup {
  /** Path of the artifact or wasm file that the plugin's runtime read. */
  file?: string;
  /** Name from the name section, if the program compiled the bytes itself. */
  name?: string;
  /** URL of a streamed response. */
  url?: string;
  /** Bytes of the module, if the program compiled them itself. */
  wireSize?: number;
  mode: StartupMode;
  /** In the order in which they ended; times in milliseconds since the thread started. */
  steps: ObservedStep[];
  /** One call compiled and instantiated the module: the step `load` is both. */
  combined?: true;
  /** Whether the thread created an instance. */
  instanceSeen?: boolean;
  /** Why the first call cannot be observed. */
  firstCallHiddenBecause?: string;
}

export interface ObservedStep {
  name: 'map' | 'check' | 'load' | 'instantiate' | 'first call';
  start: number;
  end: number;
  /** For the first call: the name of the export. */
  detail?: string;
}

// Captured before the program can replace them (graceful-fs, mocks).
const { renameSync, writeFileSync, readFileSync } = fs;

let files = 0;

/** Access to the folder for one process. All methods throw the errors of `fs`. */
export class RecordFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param thread distinguishes the temporary files of a process's threads */
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

/** File names in the folder. */
export const recordFiles = {
  process: (pid: number) => `${pid}.process`,
  wire: (hash: string) => `${hash}.wasm`,
  loaded: (pid: number, hash: string) => `${pid}.${hash}.loaded`,
  code: (pid: number, hash: string) => `${pid}.${hash}.code`,
  result: (pid: number, hash: string) => `${pid}.${hash}.result`,
  startups: (pid: number, thread: number) => `${pid}.${thread}.startups`,
  end: (pid: number) => `${pid}.end`,
};
