/**
 * Allowed directions of imports: `npm run lint:imports`. Rooms in the order of data, from the top to the bottom; a room
 * imports only rooms below it. docs/internals/architecture.md says what is in each.
 */

/** Each line may import those below it, and other rooms of the same line. */
const ORDER = [
  ['bundlers', 'cli'],
  ['app'],
  ['build'],
  ['report'],
  ['train'],
  ['recorder'],
  ['v8'],
  ['artifact', 'profile'],
  ['wasm/split'],
  ['addon', 'elf', 'wasm/binary', 'runtime/node', 'runtime/browser'],
  ['common', 'runtime/shared'],
];

const folders = (rooms) => `^src/(${rooms.join('|')})/`;

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Files that import each other cannot be understood, or loaded, one by one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    ...ORDER.slice(1).map((rooms, index) => ({
      name: `nothing-above-${rooms.join('-').replaceAll('/', '-')}`,
      comment: 'Rooms import rooms below them: see ORDER in .dependency-cruiser.cjs.',
      severity: 'error',
      from: { path: folders(rooms) },
      to: { path: folders(ORDER.slice(0, index + 1).flat()) },
    })),
    {
      name: 'top-is-entries-only',
      comment: 'Bundlers and the command are used by the entries of the package, and do not use each other.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: '^src/(bundlers|cli)/' },
      to: { path: '^src/(bundlers|cli)/' },
    },
    {
      name: 'bundlers-and-command-apart',
      severity: 'error',
      from: { path: '^src/(bundlers|cli)/' },
      to: { path: '^src/(bundlers|cli)/', pathNot: '^src/$1/' },
    },
    {
      name: 'no-imports-of-entries',
      comment: 'The entries of the package (src/index.ts, src/vite.ts …) import; nothing else imports them.',
      severity: 'error',
      from: { path: '^src/[^/]+/' },
      to: { path: '^src/[^/]+\\.ts$' },
    },
    {
      name: 'runtime-alone',
      comment: 'The runtime runs in programs that do not have this package: it imports itself and Node only.',
      severity: 'error',
      from: { path: '^src/runtime/' },
      to: { pathNot: '^src/runtime/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'runtime-shared-alone',
      comment: 'runtime/shared runs in Node and in browsers.',
      severity: 'error',
      from: { path: '^src/runtime/shared/' },
      to: { pathNot: '^src/runtime/shared/' },
    },
    {
      name: 'runtime-node-and-browser-apart',
      severity: 'error',
      from: { path: '^src/runtime/(node|browser)/' },
      to: { path: '^src/runtime/(node|browser)/', pathNot: '^src/runtime/$1/' },
    },
    {
      name: 'runtime-browser-without-node',
      severity: 'error',
      from: { path: '^src/runtime/browser/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'bundlers-by-name-in-bundlers',
      comment:
        'A bundler, and its types, are known in src/bundlers only. Below, build/bundler-context.ts stands for it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/bundlers/' },
      to: {
        path: '(^|/)(vite|webpack|rollup|rolldown|esbuild|@farmfe/core|@rspack/core)(/|$)',
        pathNot: '^src/',
      },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // Imports of types count: a room that knows another's types depends on it.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    // Not `types`: packages may name declarations there that they do not contain.
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
