/** The decision on how a build ships a module. */
import { describe, expect, it } from 'vitest';
import { type Conditions, decide, decideForNode, decideUnreadable } from '../../src/build/compile/decide.ts';
import { WasmPrecompileError } from '../../src/common/error.ts';
import { watOfValue } from '../support/wat.ts';

const MODULE = { file: '/a.wasm', wire: new Uint8Array(1000), builtins: undefined };
const WITH_BUILTINS = { ...MODULE, builtins: { constantsModule: '', constants: [], others: [] } };
const SERVER: Conditions = { dev: false, platform: 'node', inlineLimit: 0, threshold: 0 };

describe('a build', () => {
  it.each<[string, Partial<Conditions>, object]>([
    ['precompiles it for Node.js', {}, { kind: 'precompile' }],
    ['leaves it to the browser in a client build', { platform: 'browser' }, { kind: 'browser' }],
    ['inlines it below the limit', { inlineLimit: 1001 }, { kind: 'inline' }],
    ['does not inline it at the limit', { inlineLimit: 1000 }, { kind: 'precompile' }],
    [
      'serves it unchanged from a dev server, also below the limit',
      { dev: true, inlineLimit: 1001 },
      { kind: 'dev' },
    ],
    [
      'compiles it at startup below the threshold',
      { threshold: 2048 },
      { kind: 'startup', reason: 'below the threshold of 2 KiB' },
    ],
    [
      "gives the bundler's reason before its own",
      { platform: 'browser', plain: 'for Bun', threshold: 2048 },
      { kind: 'startup', reason: 'for Bun' },
    ],
  ])('%s', (_, conditions, decision) => {
    expect(decide(MODULE, { ...SERVER, ...conditions })).toEqual(decision);
  });

  it('compiles a module with JS string builtins at startup, with a warning', () => {
    expect(decideForNode(WITH_BUILTINS)).toEqual({
      kind: 'startup',
      reason: 'it uses JS string builtins',
      warning: expect.stringContaining('/a.wasm uses JS string builtins'),
    });
  });
});

describe('a file that cannot be parsed', () => {
  const unsupported = new WasmPrecompileError('UNSUPPORTED_WASM', 'Unknown.');
  const invalid = new WasmPrecompileError('INVALID_WASM', 'Invalid.');
  const core = watOfValue(1);
  const other = new Uint8Array(8);

  it.each(['init', 'module', 'shared', 'file'] as const)(
    'is compiled at startup, with a warning, if it is a core module: %s',
    (form) => {
      expect(decideUnreadable(unsupported, form, core)).toEqual({
        kind: 'startup',
        reason: 'it cannot be parsed',
        warning: expect.stringContaining('Unknown.'),
      });
    },
  );

  it('is shipped without a warning for code that loads the file itself', () => {
    expect(decideUnreadable(invalid, 'file', other)).toEqual({
      kind: 'startup',
      reason: 'it cannot be parsed',
    });
  });

  it.each([
    ['generated code needs its interface', unsupported, 'esm', core],
    ['it is not a core module', unsupported, 'init', other],
    ['it is invalid', invalid, 'init', core],
    ['the error has another cause', new Error('other'), 'file', core],
  ] as const)('fails the build if %s', (_, error, form, bytes) => {
    expect(decideUnreadable(error, form, bytes)).toBeUndefined();
  });
});
