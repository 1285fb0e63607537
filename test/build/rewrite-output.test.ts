/** Rewriting files of a written output: names, references and contents stay consistent. */
import { beforeEach, describe, expect, test } from 'vitest';
import { findHash } from '../../src/build/output/find-hash.ts';
import { rewriteOutput, type Rewritten } from '../../src/build/output/rewrite-output.ts';
import { createProject, type Files, type Project } from '../support/project.ts';

let project: Project;

beforeEach(async () => {
  project = await createProject({});
});

/** Rewrites an output in which every name with a hyphen has a hash. */
async function rewrite(
  output: Files,
  contents: Files,
  { before = 'map 1', after = 'map 2', mayRename = true } = {},
): Promise<Rewritten> {
  for (const [name, content] of Object.entries(output)) await project.write({ [`out/${name}`]: content });
  return rewriteOutput(
    project.path('out'),
    Object.keys(output).map((name) => ({
      name,
      hash: name.endsWith('.map') ? undefined : findHash(name, '[name]-[hash].[ext]'),
    })),
    Object.entries(contents).map(([name, content]) => ({
      name,
      contents: Buffer.from(content),
      text: { before, after },
    })),
    mayRename,
  );
}

const list = () => project.list('out');
const readBytes = (name: string) => project.read('out', name);
const read = async (name = 'not renamed') => (await readBytes(name)).toString();

const OUTPUT = {
  'main.js': 'import "./assets/chunk-AAAAAAAA.js"; import "./assets/other-BBBBBBBB.js";',
  'assets/chunk-AAAAAAAA.js':
    'new URL("artifact-CCCCCCCC.elf", import.meta.url); "map 1"\n//# sourceMappingURL=chunk-AAAAAAAA.js.map',
  'assets/chunk-AAAAAAAA.js.map': '{"file":"chunk-AAAAAAAA.js","sourcesContent":["map 1"]}',
  'assets/other-BBBBBBBB.js': 'export {}',
  'assets/artifact-CCCCCCCC.elf': Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1]),
  '.vite/manifest.json':
    '{"chunk":{"file":"assets/chunk-AAAAAAAA.js","assets":["assets/artifact-CCCCCCCC.elf"]}}',
};

/** A program with an inline source map. */
const withMap = (json: string) =>
  `"map 1"\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,${Buffer.from(json).toString('base64')}\n`;

describe('a changed file', () => {
  const change = { 'assets/artifact-CCCCCCCC.elf': 'new' };

  test('gets a new hash in its name, as does every file that refers to it', async () => {
    const { names, skipped } = await rewrite(OUTPUT, change);
    expect(skipped).toEqual([]);
    const artifact = names.get('assets/artifact-CCCCCCCC.elf');
    const chunk = names.get('assets/chunk-AAAAAAAA.js');
    expect(artifact).toMatch(/^assets\/artifact-[0-9a-f]{8}\.elf$/);
    expect(chunk).toMatch(/^assets\/chunk-[0-9a-f]{8}\.js$/);
    expect(names.get('assets/chunk-AAAAAAAA.js.map')).toBe(`${chunk}.map`);
    expect(await list()).toEqual(
      [
        'main.js',
        '.vite/manifest.json',
        'assets/other-BBBBBBBB.js',
        artifact,
        chunk,
        `${chunk}.map`,
      ].toSorted(),
    );
    expect(await read(artifact)).toBe('new');
    const base = chunk?.slice('assets/'.length);
    expect(await read('main.js')).toBe(`import "./assets/${base}"; import "./assets/other-BBBBBBBB.js";`);
    expect(await read(chunk)).toBe(
      `new URL("${artifact?.slice('assets/'.length)}", import.meta.url); "map 2"\n//# sourceMappingURL=${base}.map`,
    );
    expect(await read(`${chunk}.map`)).toBe(`{"file":"${base}","sourcesContent":["map 2"]}`);
    expect(JSON.parse(await read('.vite/manifest.json'))).toEqual({
      chunk: { file: chunk, assets: [artifact] },
    });
  });

  test('gets the same name for the same contents, and another name for other contents', async () => {
    const { names: first } = await rewrite(OUTPUT, change);
    project = await createProject({});
    const { names: again } = await rewrite(OUTPUT, change);
    project = await createProject({});
    const { names: other } = await rewrite(OUTPUT, { 'assets/artifact-CCCCCCCC.elf': 'newer' });
    expect(again).toEqual(first);
    for (const [name, fresh] of first) expect(other.get(name)).not.toBe(fresh);
  });

  test('changes the names of all chunks in a cycle', async () => {
    const { names } = await rewrite(
      {
        'a-AAAAAAAA.js': 'import "./b-BBBBBBBB.js"',
        'b-BBBBBBBB.js': 'import "./a-AAAAAAAA.js"; new URL("c-CCCCCCCC.elf"); "map 1"',
        'c-CCCCCCCC.elf': 'old',
      },
      { 'c-CCCCCCCC.elf': 'new' },
    );
    expect(names.size).toBe(3);
    expect(await read(names.get('a-AAAAAAAA.js'))).toBe(`import "./${names.get('b-BBBBBBBB.js')}"`);
    expect(await read(names.get('b-BBBBBBBB.js'))).toContain(`import "./${names.get('a-AAAAAAAA.js')}"`);
  });

  test('is reported with its new contents by its old name', async () => {
    const { names, contents, kept } = await rewrite(OUTPUT, change);
    expect(kept).toEqual([]);
    expect([...contents.keys()].toSorted()).toEqual(
      Object.keys(OUTPUT)
        .filter((name) => name !== 'assets/other-BBBBBBBB.js')
        .toSorted(),
    );
    for (const [name, bytes] of contents) {
      expect(Buffer.from(bytes).equals(await readBytes(names.get(name) ?? name)), name).toBe(true);
    }
  });

  test('is replaced in an inline source map', async () => {
    const json = '{"file":"chunk-AAAAAAAA.js","sourcesContent":["map 1 ü日"]}';
    const { names } = await rewrite(
      {
        'chunk-AAAAAAAA.js': withMap(json),
        'x-CCCCCCCC.elf': 'old',
        'main.js': 'import "./chunk-AAAAAAAA.js"',
      },
      { 'x-CCCCCCCC.elf': 'new' },
    );
    const chunk = names.get('chunk-AAAAAAAA.js') ?? '';
    expect(await read(chunk)).toBe(
      withMap(json.replace('map 1', 'map 2').replace('chunk-AAAAAAAA.js', chunk)).replace(
        '"map 1"',
        '"map 2"',
      ),
    );
    expect(await read('main.js')).toBe(`import "./${chunk}"`);
  });

  test('gets a new name for a source map that has a hash of its own', async () => {
    const { names } = await rewrite(
      {
        'chunk-AAAAAAAA.js': '"x-CCCCCCCC.elf"; "map 1"\n//# sourceMappingURL=chunk-DDDDDDDD.map.json',
        'chunk-DDDDDDDD.map.json': '{"file":"chunk-AAAAAAAA.js","sourcesContent":["map 1"]}',
        'x-CCCCCCCC.elf': 'old',
      },
      { 'x-CCCCCCCC.elf': 'new' },
    );
    expect(names.size).toBe(3);
    const [chunk = '', map = ''] = ['chunk-AAAAAAAA.js', 'chunk-DDDDDDDD.map.json'].map((name) =>
      names.get(name),
    );
    expect(await read(chunk)).toContain(`sourceMappingURL=${map}`);
    expect(await read(map)).toBe(`{"file":"${chunk}","sourcesContent":["map 2"]}`);
  });

  test('is renamed in a URL that refers to it', async () => {
    const { names } = await rewrite(
      {
        'with space-AAAAAAAA.elf': 'old',
        'main.js': 'new URL("with%20space-AAAAAAAA.elf", import.meta.url); "map 1"',
      },
      { 'with space-AAAAAAAA.elf': 'new' },
    );
    const fresh = names.get('with space-AAAAAAAA.elf');
    expect(await read('main.js')).toContain(
      `new URL("${encodeURIComponent(String(fresh))}", import.meta.url)`,
    );
  });
});

async function expectInPlace(output: Files, artifact: string, options?: { mayRename: boolean }) {
  const { names, skipped, kept } = await rewrite(output, { [artifact]: 'new' }, options);
  expect([...names, ...skipped]).toEqual([]);
  const hashed = Object.keys(output).filter((name) => name.includes('-'));
  const changed = hashed.filter((name) => name === artifact || String(output[name]).includes('map 1'));
  expect(kept.toSorted()).toEqual(changed.toSorted());
  expect(await list()).toEqual(Object.keys(output).toSorted());
  expect(await read(artifact)).toBe('new');
  for (const [name, before] of Object.entries(output)) {
    if (name !== artifact) expect(await read(name)).toBe(String(before).replace('map 1', 'map 2'));
  }
}

describe('contents change and names stay', () => {
  test('if the names have no hash', () =>
    expectInPlace({ 'x.elf': 'old', 'main.js': '"x.elf"; "map 1"' }, 'x.elf'));

  test('if other outputs use the folder', () =>
    expectInPlace({ 'x-AAAAAAAA.elf': 'old', 'main.js': '"x-AAAAAAAA.elf"; "map 1"' }, 'x-AAAAAAAA.elf', {
      mayRename: false,
    }));

  test('if two files in different folders have the same name', () =>
    expectInPlace(
      {
        'pages/a/index-AAAAAAAA.js': 'import "../../x-BBBBBBBB.elf"; "map 1"',
        'pages/b/index-AAAAAAAA.js': 'import "../../x-BBBBBBBB.elf"; "map 1"',
        'main.js': 'import "./pages/a/index-AAAAAAAA.js"; import "./pages/b/index-AAAAAAAA.js";',
        'x-BBBBBBBB.elf': 'old',
      },
      'x-BBBBBBBB.elf',
    ));

  test('if one name is the end of another', () =>
    expectInPlace(
      {
        'index-AAAAAAAA.js': '"x-BBBBBBBB.elf"; "map 1"',
        'my-index-AAAAAAAA.js': '"x-BBBBBBBB.elf"',
        'x-BBBBBBBB.elf': 'old',
      },
      'x-BBBBBBBB.elf',
    ));

  test('if a reference uses a spelling that is not recognised', () =>
    expectInPlace(
      {
        'café-AAAAAAAA.js': '"x-BBBBBBBB.elf"; "map 1"',
        'main.js': String.raw`import "./caf\xE9-AAAAAAAA.js"`,
        'x-BBBBBBBB.elf': 'old',
      },
      'x-BBBBBBBB.elf',
    ));
});

describe('a text', () => {
  const ARTIFACT = { 'x.elf': 'old' };

  test('is replaced in any encoding and within strings, but not in binary files', async () => {
    const text = { before: '{"n": 1}', after: '{"n": 2}' };
    const latin1 = Buffer.concat([Buffer.from([0xe9]), Buffer.from(' {"n": 1}')]);
    await rewrite(
      {
        ...ARTIFACT,
        'a.js': `'{"n": 1}' ü日本`,
        'b.js': String.raw`"{\"n\": 1}"`,
        'latin1.js': latin1,
        'c.bin': '{"n": 1}',
      },
      { 'x.elf': 'new' },
      text,
    );
    expect(await read('a.js')).toBe(`'{"n": 2}' ü日本`);
    expect(await read('b.js')).toBe(String.raw`"{\"n\": 2}"`);
    expect(await readBytes('latin1.js')).toEqual(
      Buffer.concat([Buffer.from([0xe9]), Buffer.from(' {"n": 2}')]),
    );
    expect(await read('c.bin')).toBe('{"n": 1}');
  });

  test('leaves every file unchanged if no file contains it', async () => {
    const { skipped } = await rewrite(OUTPUT, { 'assets/artifact-CCCCCCCC.elf': 'new' }, { before: 'map 3' });
    expect(skipped).toEqual(['assets/artifact-CCCCCCCC.elf']);
    expect(await list()).toEqual(Object.keys(OUTPUT).toSorted());
    for (const [name, content] of Object.entries(OUTPUT)) {
      expect(await readBytes(name)).toEqual(Buffer.from(content));
    }
  });

  test('is replaced although another plugin has deleted a file', async () => {
    const output = { 'main.js': '"x.elf"; "map 1"', ...ARTIFACT };
    for (const [name, content] of Object.entries(output)) await project.write({ [`out/${name}`]: content });
    const { skipped } = await rewriteOutput(
      project.path('out'),
      ['main.js', 'main.js.map', 'x.elf'].map((name) => ({ name, hash: undefined })),
      [{ name: 'x.elf', contents: Buffer.from('new'), text: { before: 'map 1', after: 'map 2' } }],
      true,
    );
    expect(skipped).toEqual([]);
    expect(await read('main.js')).toBe('"x.elf"; "map 2"');
  });
});
