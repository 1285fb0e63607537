/** `npm run lint:text`: checks the language of comments, messages and docs. The rules: CONTRIBUTING.md, "Language". */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execaSync } from 'execa';
import { checkBaseNames, checkFile, checkPaths, groupBy, MAX_WIDTH, MAX_WORDS } from './rules.ts';

const HELP = `Usage: npm run lint:text -- [files or folders…]

Checks the language of all tracked files in src, test, playground, scripts and docs, of README.md, CONTRIBUTING.md and
CHANGELOG.md, or of the named ones. Prints file:line, the rule, the finding and what to write instead. Exit code 1 when
there are findings.

Rules
  term           a retired term, or a word that personifies code or hides the subject (scripts/lint-text/terms.ts)
  comment-start  a comment that begins with "Of"
  width          a comment or a line of the docs wider than ${MAX_WIDTH} columns; not tables, links and code
  long-sentence  more than ${MAX_WORDS} words in a sentence of the docs or of a message
  base-name      two files in src with the same base name
  path           a path in the docs that does not exist

Exceptions are in scripts/lint-text/exceptions.ts, each with its reason.

Options
  --count  print the number of findings for each folder and rule instead
  --help   print this text
`;

const DEFAULT_PATHS = [
  'src',
  'test',
  'playground',
  'scripts',
  'docs',
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  '*.config.ts',
];
const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean' }, count: { type: 'boolean' } },
});
if (values.help) console.log(HELP);
else run();

function run() {
  const tracked = listTracked(positionals.length > 0 ? positionals : DEFAULT_PATHS);
  const all = listTracked(DEFAULT_PATHS);
  const findings = [
    ...tracked.flatMap((path) => {
      const source = readFileSync(`${CHECKOUT}${path}`, 'utf8');
      return [...checkFile(path, source), ...checkPaths(path, source, all)];
    }),
    ...checkBaseNames(listTracked(['src'])).filter(({ path }) => tracked.includes(path)),
  ];
  if (values.count) {
    const counts = groupBy(findings, ({ path, rule }) => `${path.split('/', 2).join('/')} ${rule}`);
    for (const [key, { length }] of counts) console.log(`${length}\t${key}`);
  } else {
    for (const { path, line, rule, message } of findings) console.log(`${path}:${line}: ${rule}: ${message}`);
  }
  if (findings.length > 0) {
    console.log(`\n${findings.length} findings. CONTRIBUTING.md, "Language", has the rules.`);
    process.exitCode = 1;
  }
}

function listTracked(paths: readonly string[]): string[] {
  const { stdout } = execaSync('git', ['ls-files', '-z', '--', ...paths], { cwd: CHECKOUT });
  return stdout.split('\0').filter((path) => path !== '' && !path.endsWith('.wasm'));
}
