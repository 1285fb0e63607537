/** Settings of `npm run bench`. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseCount, parseList } from '../support/arguments.ts';
import { DEFAULT_NODES } from '../support/nodes.ts';
import { MODULES_FOLDER } from './modules.ts';

export const PARTS = ['modules', 'growth', 'peers'] as const;

export type Part = (typeof PARTS)[number];

export interface Settings {
  quick: boolean;
  /** Names; undefined: all modules, or with `quick` those for quick runs. */
  module?: string[];
  modules: string;
  node: string[];
  rounds: number;
  parts: Part[];
  /** Seconds. */
  timeLimit: number;
  json?: string;
  report?: string;
}

const ROUNDS = 11;

/** The oldest and the newest supported version; the host may be any. */
const QUICK_NODES = ['20', '26'];

interface Given extends Omit<Settings, 'node' | 'parts' | 'quick'> {
  quick?: true;
  node?: string[];
  parts?: Part[];
}

/** @throws CommanderError for the help and for wrong arguments */
export function readSettings(args: readonly string[]): Settings {
  const command = new Command('npm run bench --')
    .description(
      'Measure real modules with and without the plugin, growth of cost with size, and other plugins.',
    )
    .option('--quick', 'fewer modules, Node versions and sizes: less than five minutes')
    .addOption(list('--module <names>', 'modules, separated by commas; default: all'))
    .addOption(
      new Option('--modules <folder>', 'folder with a folder for each module').default(
        MODULES_FOLDER,
        'playground/bench/modules',
      ),
    )
    .addOption(
      list('--node <versions>', `host, 20, 22, 24 …; default: ${DEFAULT_NODES}, quick: ${QUICK_NODES}`),
    )
    .option('--rounds <n>', 'rounds of processes', parseCount, ROUNDS)
    .addOption(new Option('--parts <parts>', `what to measure; default: ${PARTS}`).argParser(parseParts))
    .option(
      '--time-limit <seconds>',
      'time limit of each process; results of slower processes are missing',
      parseCount,
      60,
    )
    .option('--json <file>', 'write all samples to a file')
    .option('--report <file>', 'write a report page with charts')
    .allowExcessArguments(false)
    .exitOverride();
  const { quick = false, ...given } = command.parse(args, { from: 'user' }).opts<Given>();
  return {
    quick,
    node: quick ? QUICK_NODES : DEFAULT_NODES,
    parts: [...PARTS],
    ...given,
  };
}

function list(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseList);
}

function parseParts(value: string): Part[] {
  return parseList(value).map((name) => {
    const part = PARTS.find((known) => known === name);
    if (!part) throw new InvalidArgumentError(`Expected some of ${PARTS.join(', ')}.`);
    return part;
  });
}

/** Returns the command that reproduces the figures, without its output options. */
export function describeCommand(args: readonly string[]): string {
  const outputOption = /^--(json|report)(=|$)/;
  const kept = args.filter(
    (arg, index) => !outputOption.test(arg) && !/^--(json|report)$/.test(args[index - 1] ?? ''),
  );
  return ['npm run bench', ...(kept.length === 0 ? [] : ['--', ...kept])].join(' ');
}
