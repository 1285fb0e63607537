/** The three deliveries in real browsers, from static servers with different behaviour. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unpackArtifact } from '../../src/artifact/unpack.ts';
import { buildClient, type BuildResult } from '../support/bundlers.ts';
import { createProject, type Project } from '../support/project.ts';
import { type Behaviour, serveFolder } from '../support/static-server.ts';
import { BROWSERS, type OpenBrowser } from './browsers.ts';
import { ALL_FORMS, ALL_RESULTS } from './pages.ts';

const DELIVERIES = ['stream', 'range', 'inflate'] as const;

type Delivery = (typeof DELIVERIES)[number];

const SERVERS: [name: string, behaviour: Behaviour][] = [
  ['that compresses nothing', {}],
  ['that compresses with gzip', { compress: 'gzip' }],
  ['that compresses with brotli', { compress: 'brotli' }],
  ['that ignores ranges', { ranges: false }],
  ['that ignores ranges and compresses', { ranges: false, compress: 'brotli' }],
  ['that does not know the MIME type of wasm files', { type: 'application/octet-stream' }],
  ['that sends a MIME type with a parameter', { type: 'application/wasm; charset=utf-8' }],
  ['that sends no MIME type', { type: null }],
  ['that knows neither the MIME type nor ranges', { ranges: false, type: 'text/plain' }],
];

const builds = new Map<Delivery, { project: Project; built: BuildResult }>();

beforeAll(async () => {
  for (const delivery of DELIVERIES) {
    const project = await createProject(ALL_FORMS);
    const built = await buildClient(project, { plugin: { web: { delivery } } });
    builds.set(delivery, { project, built });
  }
});

function buildOf(delivery: Delivery): { project: Project; built: BuildResult } {
  const found = builds.get(delivery);
  if (!found) throw new Error(`${delivery} was not built`);
  return found;
}

describe.each(DELIVERIES)('%s', (delivery) => {
  test('emits wasm files or artifacts without native code', async () => {
    const { project, built } = buildOf(delivery);
    expect(built.warnings).toEqual([]);
    expect(built.artifacts).toEqual([]);
    const files = built.files.filter((name) => name.endsWith('.wasm'));
    const magics = await Promise.all(
      files.map(async (name) => (await project.read('out', name)).toString('latin1', 0, 4)),
    );
    const elf = files.filter((_, index) => magics[index] === '\x7fELF');
    const wasm = files.filter((_, index) => magics[index] === '\0asm');
    expect(wasm).toHaveLength(delivery === 'range' ? 0 : 2);
    expect(elf).toHaveLength(delivery === 'stream' ? 0 : 2);
    for (const name of elf) {
      const bytes = await project.read('out', name);
      const artifact = unpackArtifact(bytes, name);
      expect(artifact.native).toEqual([]);
      expect(artifact.compressed).toBe(delivery === 'inflate');
      expect(WebAssembly.validate(Uint8Array.from(artifact.wire))).toBe(true);
    }
  });

  describe.each(BROWSERS)('in $name', ({ runs, launch }) => {
    let browser: OpenBrowser;

    beforeAll(async () => {
      if (runs) browser = await launch();
    });
    afterAll(() => browser?.close());

    test.skipIf(!runs).each(SERVERS)('works with a server %s', async (_, behaviour) => {
      const server = await serveFolder(buildOf(delivery).built.dir, behaviour);
      try {
        const { result, errors } = await browser.open(server.url);
        expect(errors).toEqual([]);
        expect(result).toEqual(ALL_RESULTS);
        // One request for each module, although all forms import it.
        const answers = server.wasm();
        expect(answers).toHaveLength(2);
        expect(new Set(answers.map(({ path }) => path)).size).toBe(2);
        const asked = delivery === 'range' && behaviour.ranges !== false ? 206 : 200;
        expect(answers.map(({ status }) => status)).toEqual([asked, asked]);
        if (behaviour.compress === 'gzip') {
          // Servers never compress ranges of a file.
          const encoding = delivery === 'range' ? undefined : 'gzip';
          expect(answers.map((answer) => answer.encoding)).toEqual([encoding, encoding]);
        }
      } finally {
        await server.close();
      }
    });
  });
});
