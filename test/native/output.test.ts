/** The output of a build is self-contained: it depends on no package, working directory, user or write permission. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../v8/support.ts';
import { build, BUNDLERS } from '../support/bundlers.ts';
import { createProject } from '../support/project.ts';
import { ensureRuntime } from '../support/runtimes.ts';
import { IS_ROOT } from '../support/tools.ts';
import { bulkySample } from './modules.ts';
import { NOBODY, NODES, outcomes, runCommand, shareNode } from './support.ts';

const folder = temporaryFolder();

const FILES = {
  'bulky.wasm': bulkySample(),
  'main.js': `
import module from './bulky.wasm?module';
const { exports } = new WebAssembly.Instance(module, { env: { twice: (value) => value * 2 } });
let trap;
try { exports.peek(70000) } catch (error) { trap = error instanceof WebAssembly.RuntimeError }
console.log(JSON.stringify([exports.quadruple(21), exports.sum(1000), exports.f1499(3), trap]));
`,
};

const RESULT = [84, 500_500, expect.any(Number), true];

/** Removes write permission for all users. */
function makeReadOnly(name: string): void {
  for (const entry of readdirSync(name, { recursive: true, withFileTypes: true })) {
    chmodSync(path.join(entry.parentPath, entry.name), entry.isDirectory() ? 0o555 : 0o444);
  }
  chmodSync(name, 0o555);
}

describe.each(BUNDLERS)('%s', (bundler) => {
  const moved = path.join(folder, `${bundler} #1 ü`, 'deployed');
  const main = path.join(moved, 'main.js');
  beforeAll(async () => {
    const project = await createProject(FILES);
    const { dir } = await build(bundler, project, {
      plugin: { targets: NODES.map(({ node }) => node), threshold: 0 },
    });
    cpSync(dir, moved, { recursive: true });
    cpSync(project.path('package.json'), path.join(moved, 'package.json'));
    makeReadOnly(moved);
    // No package can be found from there.
    for (let up = moved; up !== path.dirname(up); up = path.dirname(up)) {
      expect(readdirSync(up)).not.toContain('node_modules');
    }
  });

  it('has one native addon for each target beside the artifact', () => {
    const names = readdirSync(moved, { recursive: true }).map((name) => path.basename(String(name)));
    expect(names.filter((name) => name.endsWith('.node'))).toHaveLength(NODES.length);
    expect(names.filter((name) => name.endsWith('.elf'))).toHaveLength(1);
  });

  it.each(NODES)(
    'runs moved, read-only and from another working directory in Node $version',
    async ({ node }) => {
      for (const cwd of ['/', '/proc/self', folder]) {
        const result = await runCommand(node, [main], { cwd });
        expect(result, result.stderr).toMatchObject({ end: 0, printed: [RESULT], warnings: [] });
        expect(outcomes(result)).toEqual(['precompiled mapped']);
      }
    },
  );

  it.runIf(IS_ROOT).each(NODES)('runs as another user in Node $version', async ({ node }) => {
    const foreign = await runCommand(shareNode(folder, node), [main], { uid: NOBODY });
    expect(foreign, foreign.stderr).toMatchObject({ end: 0, printed: [RESULT], warnings: [] });
    expect(outcomes(foreign)).toEqual(['precompiled read']);

    const own = path.join(folder, `own-${bundler}-${path.basename(shareNode(folder, node))}`);
    mkdirSync(own);
    cpSync(moved, own, { recursive: true });
    execFileSync('chown', ['-R', String(NOBODY), own]);
    expect(statSync(own).uid).toBe(NOBODY);
    const mine = await runCommand(shareNode(folder, node), [path.join(own, 'main.js')], { uid: NOBODY });
    expect(mine, mine.stderr).toMatchObject({ end: 0, printed: [RESULT], warnings: [] });
    expect(outcomes(mine)).toEqual(['precompiled mapped']);
  });

  it.each([
    { name: 'bun', args: [] },
    { name: 'deno', args: ['run', '--allow-read', '--allow-env'] },
  ] as const)('compiles in $name', async ({ name, args }) => {
    const runtime = await ensureRuntime(name);
    const env = { DENO_DIR: path.join(folder, 'deno'), HOME: folder, NO_COLOR: '1' };
    const result = await runCommand(runtime, [...args, main], { env });
    expect(result, result.stderr).toMatchObject({ end: 0, printed: [RESULT] });
    expect(result.loads.map(({ how, detail }) => [how, detail])).toEqual([['compiled', 'this is not Node']]);
  });
});
