/** `npm run lint:text`: each rule finds an example of what it is for, and passes what is right. */
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { checkBaseNames, checkFile, checkPaths } from '../../scripts/lint-text/rules.ts';
import { readTexts } from '../../scripts/lint-text/texts.ts';
import { CHECKOUT } from '../support/project.ts';

function run(...args: string[]) {
  return execa('npx', ['tsx', 'scripts/lint-text/index.ts', ...args], { cwd: CHECKOUT, reject: false });
}

/** Each finding as its line, its rule and the beginning of its message. */
function check(source: string, path = 'src/example.ts'): string[] {
  return checkFile(path, source).map(({ line, rule, message }) => `${line} ${rule} ${message}`);
}

const words = (count: number) => Array.from({ length: count }, () => 'word').join(' ');

describe('terms', () => {
  it.each([
    ['a comment', '// The glue loads it.\n'],
    ['a string', "log('glue');\n"],
    ['a template', 'log(`${name}: the glue of ${other}`);\n'],
    ['a template in a template', 'log(`${`the glue`}`);\n'],
    ['an identifier', 'export const findGlueFiles = 1;\n'],
    ['a constant', 'export const GLUE_TEXT = 1;\n'],
  ])('finds a retired term in %s', (_, source) => {
    expect(check(source)).toEqual([expect.stringMatching(/^1 term "glue" .*use "generated code"/i)]);
  });

  it('finds a term of two words that a line break divides', () => {
    expect(check('/**\n * This is demand\n * loading.\n */\n')).toEqual([
      expect.stringMatching(/^2 term "demand loading"/),
    ]);
  });

  it.each([
    ['heal: true', 'heal'],
    ['healFolder', 'heal'],
    ['isBodiless', 'Bodiless'],
    ['recipe', 'recipe'],
    ["'./x.wasm?wasm-loader'", 'wasm-loader'],
    ["'the native loader'", 'native loader'],
    ['ArtifactMap', 'Artifact Map'],
    ["'used at start-up'", 'start-up'],
    ["'the module stays whole'", 'stays whole'],
    ["'./x.part1-0123.wasm is missing'", '.part1'],
    ["'unplugin-wasm-precompile/runtime/fit'", 'runtime/fit'],
    ["'a genuine module'", 'genuine'],
  ])('finds the retired term of %s', (expression, term) => {
    expect(check(`use({ ${expression.includes(':') ? expression : `x: ${expression}`} });\n`)).toEqual([
      expect.stringContaining(`1 term "${term}" `),
    ]);
  });

  it.each([
    'Whoever asks gets it',
    'nobody asked',
    'it waits for somebody',
    'Who asks gets a module',
    'what became of the module',
    'part 3 comes in',
    'V8 tells the size',
    'it is told',
    'each gets its turn',
    'it is made anew',
    'the file is of no use',
    'V8 notices it',
    'the caller hears of it',
    'splitting pays',
  ])('finds the vague word in "%s"', (sentence) => {
    expect(check(`// ${sentence}.\n`)).toEqual([expect.stringMatching(/^1 term /)]);
  });

  it('finds "wire bytes" in the README only', () => {
    expect(check('The wire bytes.\n', 'README.md')).toHaveLength(1);
    expect(check('The wire bytes.\n', 'docs/internals/architecture.md')).toEqual([]);
  });

  it('passes words that only contain a term, and strings that are not sentences', () => {
    expect(check("// A health check of a payload in a startup.\nexport const x = 'pays';\n")).toEqual([]);
  });

  it('reads comments and strings of C++, comments of style sheets, docs without their code', () => {
    expect(check('// Glue.\nauto x = "glue";\n', 'src/native/x.cc')).toHaveLength(2);
    expect(check('/* Glue. */\n', 'src/x.css')).toHaveLength(1);
    expect(
      check('The glue, `glue`.\n\n```js\nglue();\n```\n\n| glue |\n', 'docs/x.md').map((each) =>
        each.slice(0, 6),
      ),
    ).toEqual(['1 term', '7 term']);
  });

  it('leaves out what scripts write into docs', () => {
    expect(
      check('<!-- bench:start -->\n\nThe glue.\n\n<!-- bench:end -->\n\nThe glue.\n', 'README.md'),
    ).toEqual([expect.stringMatching(/^7 term/)]);
  });
});

describe('comments that begin with "Of"', () => {
  it.each([
    '/** Of a module. */\n',
    '/**\n * Of a module.\n */\n',
    '// Of a module.\n',
    'f(); // Of a module.\n',
  ])('finds %j', (source) => {
    expect(check(source)).toEqual([expect.stringMatching(/^\d comment-start /)]);
  });

  it('passes "Of" in the second line of a comment', () => {
    expect(check('// The size\n// Of a module.\n')).toEqual([]);
  });
});

describe('width', () => {
  const long = words(25);

  it('finds wide comments, not wide code', () => {
    expect(check(`// ${long}\nexport const x = '${long}';\n`)).toEqual([
      '1 width a comment of 127 columns: wrap at 120',
    ]);
  });

  it('finds wide lines of docs, not tables, links and code', () => {
    const source = `${long}\n\n| ${long} |\n\n[${long}](https://example.com)\n\n\`\`\`\n${long}\n\`\`\`\n`;
    expect(check(source, 'docs/x.md')).toEqual(['1 width a line of 124 columns: wrap at 120']);
  });
});

describe('long sentences', () => {
  it('finds them in docs, across lines', () => {
    expect(check(`One.\nTwo ${words(15)}\n${words(15)}. Three.\n`, 'docs/x.md')).toEqual([
      expect.stringMatching(/^2 long-sentence 31 words/),
    ]);
  });

  it('finds them in messages that several lines make up', () => {
    const source = `fail(\n  \`\${file}: ${words(15)} \` +\n    '${words(16)}.',\n);\n`;
    expect(check(source)).toEqual([expect.stringMatching(/^2 long-sentence/)]);
  });

  it('passes strings that are not messages, and sentences of 30 words', () => {
    expect(check(`f('${words(40)}', '${words(30)}.');\n`)).toEqual([]);
    const half = words(15);
    expect(check(`- ${half}\n  ${half}.\n- ${half}\n  ${half}.\n`, 'docs/x.md')).toEqual([]);
  });
});

describe('base names', () => {
  it('finds two files in src that share one, unless they are a pair that is known', () => {
    const found = checkBaseNames([
      'src/a/one.ts',
      'src/b/one.ts',
      'src/a/index.ts',
      'src/b/index.ts',
      'test/one.ts',
    ]);
    expect(found).toMatchObject([
      { path: 'src/a/one.ts', rule: 'base-name', message: expect.stringContaining('src/b/one.ts') },
      { path: 'src/b/one.ts', rule: 'base-name' },
    ]);
  });
});

it('finds paths in docs that do not exist', () => {
  const source = 'See `src/a/one.ts`, `src/a/`,\n`src/b/`, `src/a/two.ts`.\n\n```\n`src/c`\n```\n';
  expect(checkPaths('docs/x.md', source, ['src/a/one.ts'])).toMatchObject([
    { line: 2, rule: 'path', message: 'src/b/ does not exist' },
    { line: 2, rule: 'path', message: 'src/a/two.ts does not exist' },
  ]);
});

it('reads a comment once, wherever it is', () => {
  const source = 'f(/* a */ x, // b\n  y /* c */); // d\n/** e */\nclass A { /* f */ }\n// g';
  const comments = readTexts('x.ts', source).filter(({ kind }) => kind === 'comment');
  expect(comments.map(({ lines }) => lines[0]?.text)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
});

describe('the command', () => {
  it('says what it checks with --help', async () => {
    const { exitCode, stdout } = await run('--help');
    expect(exitCode).toBe(0);
    for (const rule of ['term', 'comment-start', 'width', 'long-sentence', 'base-name', 'path']) {
      expect(stdout).toContain(`\n  ${rule}`);
    }
  });

  it('passes its own folder, whose exceptions have reasons', async () => {
    const { exitCode, stdout } = await run('scripts', 'test/lint');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  });
});
