/** Projects with a module that is worth splitting, and its startup profile. */
import { createProfile } from '../../src/profile/create.ts';
import { writeProfiles } from '../../src/profile/profile-files.ts';
import { createProject, type Files, type Project } from './project.ts';
import { wat } from './wat.ts';

/** Instructions without effect, which make a function worth moving to a secondary. */
const BULK = 'i32.const 1 drop '.repeat(1000);

/** Startup calls `start` and `used`. `first` and `second` are in one secondary each, and call each other and `used`. */
export const WASM = wat(`(module
  (import "./host.js" "seven" (func $seven (result i32)))
  (global $calls (mut i32) (i32.const 0))
  (memory (export "memory") 1)
  (table (export "table") 2 funcref)
  (elem (i32.const 0) $first $used)
  (func $used (export "used") (result i32)
    global.get $calls i32.const 1 i32.add global.set $calls call $seven i32.const 6 i32.mul)
  (func $start (export "start") (result i32) call $used)
  (func $first (export "first") (param i32) (result i32)
    ${BULK} local.get 0 call $used i32.add)
  (func $second (export "second") (param i32) (result i32)
    ${BULK} local.get 0 call $first global.get $calls i32.add))`);

/** Indices of functions. */
export const [USED, START, FIRST, SECOND] = [1, 2, 3, 4];

/** The option `split` for two secondaries. */
export const TWO_SECONDARIES = { secondaries: 2, minSaving: 0 };

export const IMPORTS = '{ "./host.js": { seven: () => 7 } }';
export const CALLS = '[start(), start(), first(100), second(1000), table.get(0)(1), table.get(0) === first]';
/** The results of {@link CALLS}. */
export const RESULTS = [42, 42, 142, 1046, 43, true];

/** Creates a project with the profile in the folder `profiles`. */
export async function createSplitProject(main: string, files: Files = {}): Promise<Project> {
  const project = await createProject({
    'one.wasm': WASM,
    'host.js': 'export const seven = () => 7;',
    'main.js': main,
    ...files,
  });
  const executed = [USED, START].map((index) => ({ index, optimised: false }));
  await writeProfiles(project.path('profiles'), [createProfile('one', WASM, executed)]);
  return project;
}
