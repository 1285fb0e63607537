/** Child processes that fail, each in its own way: the module loses its native code, and the build goes on. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Options } from '../../src/build/options/options.ts';
import { ensureNode } from '../support/nodes.ts';
import { createForeignNode } from '../support/targets.ts';
import { assemble, moduleOf, section } from '../wasm/support.ts';
import { sample, smallest } from './modules.ts';
import { compile as compileFile, fakeNode, SQL_JS, SWC, temporaryFolder } from './support.ts';

const folder = temporaryFolder();
const SAMPLE = path.join(folder, 'sample.wasm');
writeFileSync(SAMPLE, sample());

let node20: string;
let node22: string;
let node24: string;
let node26: string;
beforeAll(async () => {
  [node20, node22, node24, node26] = await Promise.all([
    ensureNode('20.19'),
    ensureNode('22'),
    ensureNode('24'),
    ensureNode('26'),
  ]);
});

/** Without the cache: what is tested are the processes. */
const compile = (file: string, options: Options) => compileFile(file, { cache: false, ...options });

let scripts = 0;
const fake = (cases: string, node = node22) => fakeNode(folder, `node-${scripts++}`, node, cases);

describe('a compiling process that fails', () => {
  it.each([
    ['crashes', 'compile) kill -SEGV $$ ;;', /was ended by SIGSEGV/],
    ['aborts', 'compile) exec "$node" -e "process.abort()" ;;', /was ended by SIGABRT/],
    ['is killed', 'compile) kill -KILL $$ ;;', /was ended by SIGKILL/],
    ['exits with another code', 'compile) exit 7 ;;', /exited with code 7/],
    [
      'says why it exits',
      'compile) echo "# libfoo.so is missing" >&2; exit 127 ;;',
      /code 127 \(libfoo\.so is missing\)/,
    ],
    ['runs out of memory at its start', 'compile) ulimit -v 600000 ;;', /process out of memory/],
    ['runs out of file descriptors', 'compile) ulimit -n 3 ;;', /was ended by SIG|exited with code [1-9]/],
    ['says nothing', 'compile) exit 0 ;;', /gave no answer/],
    ['says something else', 'compile) echo "Welcome to Node.js"; exit 0 ;;', /gave no answer/],
    ['says nothing else', 'compile) printf "\\002\\000\\000\\000no"; exit 0 ;;', /gave no answer/],
    ['is cut off', 'compile) "$node" "$@" | head -c 10; exit 0 ;;', /gave no answer/],
    [
      'is cut off in the code',
      'compile) "$node" "$@" | head -c 500; exit 0 ;;',
      /does not accept its own|was ended by/,
    ],
    [
      'gives code that V8 does not accept',
      'compile) printf "\\002\\000\\000\\000{}notcode"; exit 0 ;;',
      /does not accept its own/,
    ],
    ['crashes where its code is tried', 'check) kill -SEGV $$ ;;', /was ended by SIGSEGV/],
    ['says something else where its code is tried', 'check) echo yes; exit 0 ;;', /gave no answer/],
  ])('%s', async (_, cases, reason) => {
    const target = fake(cases);
    const { contents, warnings } = await compile(SAMPLE, { targets: [target, node24] });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${SAMPLE}: no native code for node 22.`);
    expect(warnings[0]).toMatch(reason);
    expect(warnings[0]).toContain('It is compiled at start-up there, as without the plugin.');
    expect(sample()).toEqual(Uint8Array.from(contents.wire));
    expect(contents.native.map(({ engine }) => engine)).toEqual([expect.stringMatching(/^v8-13\.6\./)]);
  });

  it('runs out of memory in the middle', async () => {
    const { contents, warnings } = await compile(SWC, { targets: [fake('compile) ulimit -v 900000 ;;')] });
    expect(contents.native).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/wasm_bg\.wasm: no native code for node 22\..*was ended by SIG/),
    ]);
  });

  it('hangs: it is killed after the time limit', async () => {
    const { contents, warnings } = await compile(SAMPLE, {
      targets: [fake('compile) exec sleep 600 ;;')],
      timeLimit: 0.5,
    });
    expect(contents.native).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/sample\.wasm.*node 22.*took longer than 0\.5 s \(option `timeLimit`\)/),
    ]);
  });

  it('hangs in a child of its own: nothing waits for that', async () => {
    const pid = path.join(folder, 'pid');
    const { warnings } = await compile(SAMPLE, {
      targets: [fake(`compile) sleep 600 & echo $! > '${pid}'; wait ;;`)],
      timeLimit: 0.5,
    });
    expect(warnings).toEqual([expect.stringContaining('took longer than 0.5 s')]);
    // It is still there: a signal reaches it.
    expect(process.kill(Number(readFileSync(pid, 'utf8')))).toBe(true);
  });

  it('costs no other module its native code', async () => {
    // Crashes for what is larger than 10 kB.
    const target = fake(
      'compile) cat > "$0.input"; if [ $(wc -c < "$0.input") -gt 10000 ]; then kill -SEGV $$; fi; exec "$node" "$@" < "$0.input" ;;',
    );
    const large = await compile(SQL_JS, { targets: [target] });
    expect(large.contents.native).toEqual([]);
    expect(large.warnings).toEqual([expect.stringMatching(/sql-wasm\.wasm: no native code.*SIGSEGV/)]);
    const small = await compile(SAMPLE, { targets: [target] });
    expect(small.contents.native).toHaveLength(1);
    expect(small.warnings).toEqual([]);
  });

  it('is not remembered: the next build tries again', async () => {
    const marker = path.join(folder, 'crashed');
    const target = fake(`compile) if [ ! -e '${marker}' ]; then touch '${marker}'; kill -SEGV $$; fi ;;`);
    const options = { targets: [target], cache: path.join(folder, 'cache') };
    expect((await compile(SAMPLE, options)).contents.native).toEqual([]);
    expect((await compile(SAMPLE, options)).contents.native).toHaveLength(1);
  });
});

describe('a module that V8 does not support', () => {
  /** A struct type, which V8 11 does not know (garbage collection proposal), and a function. */
  const STRUCT = moduleOf(
    section(1, 2, 0x5f, 1, 0x7f, 0, 0x60, 0, 0),
    section(3, 1, 1),
    section(10, 1, 2, 0, 0x0b),
  );

  it('has native code for the engines that do', async () => {
    const file = path.join(folder, 'struct.wasm');
    writeFileSync(file, STRUCT);
    const { contents, warnings } = await compile(file, { targets: [node20, node24] });
    expect(contents.native.map(({ engine }) => engine)).toEqual([expect.stringMatching(/^v8-13\.6\./)]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /struct\.wasm: node 20\.\S+ \(V8 11\.3\.\S+\) does not support this module \(CompileError: .*no native code for it/,
      ),
    ]);
  });

  it('imports JS string builtins: native code could not carry them', async () => {
    const file = path.join(folder, 'builtins.wasm');
    writeFileSync(
      file,
      assemble(
        '(module (import "wasm:js-string" "length" (func (param externref) (result i32))) (func (export "f")))',
      ),
    );
    const { contents, warnings } = await compile(file, { targets: [node22, node24] });
    expect(contents.native).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(/builtins\.wasm uses JS string builtins/)]);
  });

  it('declares no function: there is nothing to compile, and nothing to warn about', async () => {
    const file = path.join(folder, 'data.wasm');
    writeFileSync(file, assemble('(module (memory (export "memory") 1))'));
    const { contents, warnings } = await compile(file, { targets: [node22] });
    expect(contents.native).toEqual([]);
    expect(warnings).toEqual([]);
  });
});

describe('a target', () => {
  it.each([
    [
      'crashes when it is asked what it is',
      'probe) kill -SEGV $$ ;;',
      /cannot be precompiled for: .*SIGSEGV/,
    ],
    [
      'says something else when it is asked what it is',
      'probe) echo hello; exit 0 ;;',
      /cannot be precompiled for: .*gave no answer/,
    ],
  ])('that %s gives no native code', async (_, cases, reason) => {
    const target = fake(cases);
    const { contents, warnings } = await compile(SAMPLE, { targets: [target, node24] });
    expect(contents.native).toHaveLength(1);
    expect(warnings).toEqual([expect.stringContaining(target)]);
    expect(warnings[0]).toMatch(reason);
  });

  it.each(['./no-such-node', SAMPLE, '/'])(
    'that cannot be started is a mistake in the options: %s',
    async (target) => {
      await expect(compile(SAMPLE, { targets: [target] })).rejects.toMatchObject({
        code: 'INVALID_OPTIONS',
        message: expect.stringContaining(`Target ${target} cannot be started`),
      });
    },
  );

  it('that is another program is a mistake in the options', async () => {
    await expect(compile(SAMPLE, { targets: ['/bin/echo', node24] })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(/^Target \/bin\/echo does not answer like a node executable: /),
    });
  });

  it('without natives and native loader gives no native code, and one sentence for all modules', async () => {
    const { contents, warnings } = await compile(SAMPLE, {
      targets: [await createForeignNode(folder, node26)],
    });
    expect(contents.native).toEqual([]);
    expect(sample()).toEqual(Uint8Array.from(contents.wire));
    expect(warnings).toEqual([
      expect.stringMatching(
        /^node 26\.\S+ \(V8 14\.6\.\S+\) gives native code only through the native loader, which is not there for it/,
      ),
    ]);
  });

  it('may be named twice, or under two names', async () => {
    const { contents, warnings } = await compile(SAMPLE, { targets: [node22, node22, fake('', node22)] });
    expect(contents.native).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('works from a path with spaces and other characters', async () => {
    const target = fakeNode(folder, "a node's $(name)", node22, '');
    const file = path.join(folder, 'a "module" $(name).wasm');
    writeFileSync(file, smallest());
    const { contents, warnings } = await compile(file, { targets: [target] });
    expect(contents.native).toHaveLength(1);
    expect(warnings).toEqual([]);
  });
});
