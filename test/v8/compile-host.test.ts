/** Child processes that fail in various ways. The module gets no native code, and the build goes on. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Options } from '../../src/build/options/types.ts';
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

/** Without the cache, since these tests are about the processes. */
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
      'prints why it exits',
      'compile) echo "# libfoo.so is missing" >&2; exit 127 ;;',
      /code 127 \(libfoo\.so is missing\)/,
    ],
    ['runs out of memory at startup', 'compile) ulimit -v 600000 ;;', /process out of memory/],
    ['runs out of file descriptors', 'compile) ulimit -n 3 ;;', /was ended by SIG|exited with code [1-9]/],
    ['responds with nothing', 'compile) exit 0 ;;', /gave no answer/],
    ['responds with other text', 'compile) echo "Welcome to Node.js"; exit 0 ;;', /gave no answer/],
    [
      'responds with an incomplete frame',
      'compile) printf "\\002\\000\\000\\000no"; exit 0 ;;',
      /gave no answer/,
    ],
    [
      'responds with the beginning of a frame',
      'compile) "$node" "$@" | head -c 10; exit 0 ;;',
      /gave no answer/,
    ],
    [
      'responds with incomplete native code',
      'compile) "$node" "$@" | head -c 500; exit 0 ;;',
      /does not accept its own|was ended by/,
    ],
    [
      'responds with native code that V8 does not accept',
      'compile) printf "\\002\\000\\000\\000{}notcode"; exit 0 ;;',
      /does not accept its own/,
    ],
    ['crashes while its native code is checked', 'check) kill -SEGV $$ ;;', /was ended by SIGSEGV/],
    [
      'responds with other text while its native code is checked',
      'check) echo yes; exit 0 ;;',
      /gave no answer/,
    ],
  ])('%s', async (_, cases, reason) => {
    const target = fake(cases);
    const { contents, warnings } = await compile(SAMPLE, { targets: [target, node24] });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${SAMPLE}: not precompiled for node 22.`);
    expect(warnings[0]).toMatch(reason);
    expect(warnings[0]).toContain('It is compiled at startup there, as without the plugin.');
    expect(sample()).toEqual(Uint8Array.from(contents.wire));
    expect(contents.native.map(({ engine }) => engine)).toEqual([expect.stringMatching(/^v8-13\.6\./)]);
  });

  it('runs out of memory during compilation', async () => {
    const { contents, warnings } = await compile(SWC, { targets: [fake('compile) ulimit -v 900000 ;;')] });
    expect(contents.native).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/wasm_bg\.wasm: not precompiled for node 22\..*was ended by SIG/),
    ]);
  });

  it('is killed after the time limit if it hangs', async () => {
    const { contents, warnings } = await compile(SAMPLE, {
      targets: [fake('compile) exec sleep 600 ;;')],
      timeLimit: 0.5,
    });
    expect(contents.native).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/sample\.wasm.*node 22.*took longer than 0\.5 s \(option `timeLimit`\)/),
    ]);
  });

  it('is not awaited if it hangs in a child of its own', async () => {
    const pid = path.join(folder, 'pid');
    const { warnings } = await compile(SAMPLE, {
      targets: [fake(`compile) sleep 600 & echo $! > '${pid}'; wait ;;`)],
      timeLimit: 0.5,
    });
    expect(warnings).toEqual([expect.stringContaining('took longer than 0.5 s')]);
    // The child is still alive: a signal reaches it.
    expect(process.kill(Number(readFileSync(pid, 'utf8')))).toBe(true);
  });

  it('does not affect other modules', async () => {
    // Crashes for modules larger than 10 kB.
    const target = fake(
      'compile) cat > "$0.input"; if [ $(wc -c < "$0.input") -gt 10000 ]; then kill -SEGV $$; fi; exec "$node" "$@" < "$0.input" ;;',
    );
    const large = await compile(SQL_JS, { targets: [target] });
    expect(large.contents.native).toEqual([]);
    expect(large.warnings).toEqual([expect.stringMatching(/sql-wasm\.wasm: not precompiled.*SIGSEGV/)]);
    const small = await compile(SAMPLE, { targets: [target] });
    expect(small.contents.native).toHaveLength(1);
    expect(small.warnings).toEqual([]);
  });

  it('is not cached, so the next build tries again', async () => {
    const marker = path.join(folder, 'crashed');
    const target = fake(`compile) if [ ! -e '${marker}' ]; then touch '${marker}'; kill -SEGV $$; fi ;;`);
    const options = { targets: [target], cache: path.join(folder, 'cache') };
    expect((await compile(SAMPLE, options)).contents.native).toEqual([]);
    expect((await compile(SAMPLE, options)).contents.native).toHaveLength(1);
  });
});

describe('a module that V8 does not support', () => {
  /** A struct type (garbage collection proposal), which V8 11 does not support, and a function. */
  const STRUCT = moduleOf(
    section(1, 2, 0x5f, 1, 0x7f, 0, 0x60, 0, 0),
    section(3, 1, 1),
    section(10, 1, 2, 0, 0x0b),
  );

  it('has native code for engines that support it', async () => {
    const file = path.join(folder, 'struct.wasm');
    writeFileSync(file, STRUCT);
    const { contents, warnings } = await compile(file, { targets: [node20, node24] });
    expect(contents.native.map(({ engine }) => engine)).toEqual([expect.stringMatching(/^v8-13\.6\./)]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /struct\.wasm: node 20\.\S+ \(V8 11\.3\.\S+\) does not support this module \(CompileError: .*not precompiled for it/,
      ),
    ]);
  });

  it('has no native code if it imports JS string builtins', async () => {
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

  it('has no native code and no warning if it declares no function', async () => {
    const file = path.join(folder, 'data.wasm');
    writeFileSync(file, assemble('(module (memory (export "memory") 1))'));
    const { contents, warnings } = await compile(file, { targets: [node22] });
    expect(contents.native).toEqual([]);
    expect(warnings).toEqual([]);
  });
});

describe('a target', () => {
  it.each([
    ['crashes when it is probed', 'probe) kill -SEGV $$ ;;', /cannot be precompiled for: .*SIGSEGV/],
    [
      'responds with other text when it is probed',
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
    'that cannot be started is an error in the options: %s',
    async (target) => {
      await expect(compile(SAMPLE, { targets: [target] })).rejects.toMatchObject({
        code: 'INVALID_OPTIONS',
        message: expect.stringContaining(`Target ${target} cannot be started`),
      });
    },
  );

  it('that is another program is an error in the options', async () => {
    await expect(compile(SAMPLE, { targets: ['/bin/echo', node24] })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(/^Target \/bin\/echo does not answer like a node executable: /),
    });
  });

  it('without natives and native addon gives no native code, and one warning for all modules', async () => {
    const { contents, warnings } = await compile(SAMPLE, {
      targets: [await createForeignNode(folder, node26)],
    });
    expect(contents.native).toEqual([]);
    expect(sample()).toEqual(Uint8Array.from(contents.wire));
    expect(warnings).toEqual([
      expect.stringMatching(
        /^node 26\.\S+ \(V8 14\.6\.\S+\) gives native code only through the native addon, and there is none for it/,
      ),
    ]);
  });

  it('may be listed twice, or with two paths', async () => {
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
