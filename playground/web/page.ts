/** The page: starts three modules, one after the other, and shows how and when each file was loaded. */
import { formatBytes } from '../../src/common/format-bytes.ts';
import { WORKLOADS } from './workloads/index.ts';
import type { PageMode } from './modes.ts';

const MODE = import.meta.env.MODE as PageMode;

const BUILT: Readonly<Record<PageMode, string>> = {
  vite: 'without the plugin',
  stream: 'with the delivery “stream”: wasm files with streaming compilation',
  range: 'with the delivery “range”: the byte ranges of the modules in ELF files',
  inflate: 'with the delivery “inflate”: compressed in ELF files, inflated while they are received',
  link: 'with the delivery “stream” and preload links',
};

interface Started {
  name: string;
  /** SHA-256 of the result, in hexadecimal. */
  digest: string;
  /** Milliseconds since the start of the navigation. */
  begin: number;
  ready: number;
  end: number;
}

declare global {
  var result: { mode: string; digests: Record<string, string>; loaded: number } | undefined;
}

const started: Started[] = [];
for (const [name, load] of Object.entries(WORKLOADS)) {
  const begin = performance.now();
  const call = await (await load()).start();
  const ready = performance.now();
  const text = call();
  const end = performance.now();
  started.push({ name, digest: await digest(text), begin, ready, end });
}
const { resources, modules } = await readEntries();
show();
globalThis.result = {
  mode: MODE,
  digests: Object.fromEntries(started.map((one) => [one.name, one.digest])),
  loaded: modules.length,
};

/** Waits for the timing entries: an entry appears when its file is complete, which may be after the module is ready. */
async function readEntries() {
  for (let waited = 0; ; waited += 20) {
    const entries = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
    const wasm = entries.filter(({ name }) => name.endsWith('.wasm'));
    if (wasm.length >= started.length || waited > 5000) return { resources: entries, modules: wasm };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function show(): void {
  const total = started.at(-1)?.end ?? 0;
  find('built').textContent = `Built ${BUILT[MODE]}. Time to all three results: ${formatTime(total)}.`;
  find('loaded').replaceChildren(
    createRow('th', ['module', 'size', 'on the wire', 'how']),
    ...modules.map((entry) =>
      createRow('td', [
        shortName(entry.name),
        formatBytes(entry.decodedBodySize),
        entry.transferSize === 0 ? '0 (from the cache)' : formatBytes(entry.transferSize),
        describe(entry),
      ]),
    ),
  );
  const span = Math.max(total, ...resources.map(({ responseEnd }) => responseEnd));
  const fetched = resources.map((entry) => ({
    label: shortName(entry.name),
    begin: entry.startTime,
    end: entry.responseEnd,
    bars: [
      // Unknown for files of other origins.
      { kind: 'wait', from: entry.startTime, to: entry.responseStart || entry.responseEnd },
      { kind: 'network', from: entry.responseStart || entry.responseEnd, to: entry.responseEnd },
    ],
  }));
  const worked = started.map(({ name, begin, ready, end }) => ({
    label: `${name}: ready, first result`,
    begin,
    end,
    bars: [
      { kind: 'wait', from: begin, to: ready },
      { kind: 'work', from: ready, to: end },
    ],
  }));
  find('waterfall').replaceChildren(
    ...[...fetched, ...worked]
      .toSorted((a, b) => a.begin - b.begin)
      .map(({ label, begin, end, bars }) => {
        const track = document.createElement('span');
        track.className = 'track';
        for (const { kind, from, to } of bars) {
          const bar = document.createElement('i');
          bar.className = kind;
          bar.style.left = `${(100 * from) / span}%`;
          bar.style.width = `${(100 * (to - from)) / span}%`;
          track.append(bar);
        }
        const row = document.createElement('div');
        row.className = 'row';
        row.title = `${label}: ${formatTime(begin)} to ${formatTime(end)}`;
        row.append(createText('span', label), track, createText('span', formatTime(end)));
        return row;
      }),
  );
  // Below this page, for comparison. Its files have other URLs, so none of them is in the cache.
  find('baseline').addEventListener('click', () => {
    const frame = document.createElement('iframe');
    frame.src = new URL('../vite/', location.href).href;
    document.querySelector('iframe')?.remove();
    find('again').append(frame);
  });
  find('again').hidden = MODE === 'vite' && window !== window.parent;
}

function describe({
  responseStatus,
  encodedBodySize,
  decodedBodySize,
  initiatorType,
}: PerformanceResourceTiming) {
  const what = responseStatus === 206 ? 'a range of a file' : 'a file';
  const compressed = encodedBodySize < decodedBodySize ? ', compressed by the host' : '';
  return `${what}${compressed}${initiatorType === 'link' ? ', preloaded' : ''}`;
}

/** Removes the hash from a file name. */
function shortName(url: string): string {
  return (url.split('/').at(-1) ?? url).replace(/-[\w-]{8}(?=\.\w+$)/, '');
}

function createRow(cell: 'td' | 'th', texts: readonly string[]): HTMLTableRowElement {
  const row = document.createElement('tr');
  row.append(...texts.map((text) => createText(cell, text)));
  return row;
}

function createText(tag: string, text: string): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

function find(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

function formatTime(milliseconds: number): string {
  return `${milliseconds.toFixed(0)} ms`;
}

async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
