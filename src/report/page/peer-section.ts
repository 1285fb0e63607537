/** The same modules and tasks with other bundlers and plugins. */
import { formatBytes } from '../../common/format-bytes.ts';
import type { PeerResult } from '../report-data.ts';
import { median, quartiles } from '../statistics.ts';
import { type Bar, barChart, type NoBar } from './bars.ts';
import { details, paragraph, table } from './dom.ts';
import { formatMilliseconds } from './format-numbers.ts';
import { card, cards, section, type Section } from './section.ts';

export function peerSection(peers: readonly PeerResult[]): Section | undefined {
  if (peers.length === 0) return undefined;
  const tasks = new Map<string, PeerResult[]>();
  for (const result of peers) {
    const task = `${result.module}\0${result.node}`;
    tasks.set(task, [...(tasks.get(task) ?? []), result]);
  }
  return section(
    'peers',
    'Peers',
    paragraph(
      'The same program with other plugins and bundlers: milliseconds until the first result, median of fresh processes; ' +
        'whiskers show minimum and maximum.',
    ),
    cards(...[...tasks.values()].map(taskCard)),
    details('The numbers as a table', peerTable(peers)),
  );
}

function taskCard(results: readonly PeerResult[]): HTMLElement {
  const [{ module = '', node = '' } = {}] = results;
  const chart = barChart({
    label: `${module} in Node ${node}: ${results.map(describe).join('; ')}`,
    categories: results.map(({ peer }) => peer),
    series: [
      {
        name: '',
        colour: 'mode-precompiled',
        bars: results.map((each) => (isOurs(each) ? barOf(each) : undefined)),
      },
      {
        name: '',
        colour: 'mode-baseline',
        bars: results.map((each) => (isOurs(each) ? undefined : barOf(each))),
      },
    ],
    overlay: true,
    format: formatMilliseconds,
  });
  return card(module, `Node ${node}`, chart.element);
}

/** Our own result has another colour. */
function isOurs({ peer }: PeerResult): boolean {
  return peer.startsWith('unplugin-wasm-precompile');
}

function describe({ peer, outcome }: PeerResult): string {
  return outcome.missing === undefined
    ? `${peer} ${formatMilliseconds(median(outcome.totals))}`
    : `${peer} no result`;
}

function barOf({ outcome }: PeerResult): Bar | NoBar {
  if (outcome.missing !== undefined) return { missing: outcome.missing };
  const { totals, outputSize } = outcome;
  return {
    to: median(totals),
    spread: [Math.min(...totals), Math.max(...totals)],
    label: formatMilliseconds(median(totals)),
    more: [
      `half of the samples between ${quartiles(totals).map(formatMilliseconds).join(' and ')}`,
      `output: ${formatBytes(outputSize)}`,
    ],
  };
}

function peerTable(peers: readonly PeerResult[]): HTMLElement {
  return table(
    'Peers',
    ['Module', 'Node', 'Peer', 'Median#', 'Min–max#', 'Output#'],
    peers.map(({ module, node, peer, outcome }) => [
      { content: module, head: true },
      node,
      peer,
      ...(outcome.missing === undefined
        ? [
            formatMilliseconds(median(outcome.totals)),
            [Math.min(...outcome.totals), Math.max(...outcome.totals)].map(formatMilliseconds).join(' – '),
            formatBytes(outcome.outputSize),
          ]
        : [{ content: `no result: ${outcome.missing}`, missing: true }, '–', '–']),
    ]),
  );
}
