/** Static servers as they are found: sirv, with one habit or another. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import sirv from 'sirv';
import { glob } from 'tinyglobby';

export interface Habits {
  /** It ignores `Range`. */
  ranges?: false;
  /** It compresses, by what the browser accepts. */
  compress?: 'gzip' | 'brotli';
  /** What it says of wasm files; null: nothing. */
  type?: string | null;
  /** It answers with `index.html` where there is no file. */
  spa?: boolean;
  /** It breaks the connection after so many bytes of a wasm file, so many times. */
  breaks?: { after: number; times: number };
  /**
   * It fails so many requests for files with such names, but for the first ones: it answers with a status, closes the connection, or
   * does not answer, so that whoever asks waits until he gives up. How many it has failed is at `/failed`,
   * how many of those that it did not answer were given up at `/given-up`.
   */
  fails?: { name: RegExp; how: number | 'closes' | 'holds'; times: number; first?: number };
  /** It lets pages of other origins read its files. */
  cors?: boolean;
  headers?: Record<string, string>;
  /** Files may come later. */
  dev?: true;
}

/** One request, and what was answered. */
export interface Answer {
  path: string;
  range: string | undefined;
  status: number;
  encoding: string | undefined;
  /** Of the body, as it was sent. */
  bytes: number;
}

export interface StaticServer {
  /** Ends with a slash. */
  url: string;
  /** In the order of the requests; of those that are over. */
  answers: Answer[];
  /** Those for wasm files. */
  wasm(): Answer[];
  close(): Promise<void>;
}

const COMPRESSED = {
  gzip: { suffix: 'gz', compress: (bytes: Uint8Array) => promisify(gzip)(bytes) },
  // As servers do that compress for each request.
  brotli: {
    suffix: 'br',
    compress: (bytes: Uint8Array) =>
      promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  },
};

export async function serveFolder(folder: string, habits: Habits = {}): Promise<StaticServer> {
  const { compress, spa = false, type, cors, headers = {} } = habits;
  if (compress) await precompress(folder, compress);
  const serve = sirv(folder, {
    dev: habits.dev ?? false,
    single: spa,
    // For files with an extension, too.
    ...(spa && { ignores: false }),
    etag: true,
    gzip: compress === 'gzip',
    brotli: compress === 'brotli',
    setHeaders(response, path) {
      if (type !== undefined && path.endsWith('.wasm')) {
        if (type === null) response.removeHeader('content-type');
        else response.setHeader('content-type', type);
      }
      if (cors) response.setHeader('access-control-allow-origin', '*');
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    },
  });
  const answers: Answer[] = [];
  let breaks = habits.breaks?.times ?? 0;
  const failing = new Failing(habits.fails);
  const server = createServer((request, response) => {
    const { range } = request.headers;
    record(request, response, range, answers);
    const count = { '/failed': failing.failed, '/given-up': failing.givenUp }[request.url ?? ''];
    if (count !== undefined) {
      response.end(String(count));
      return;
    }
    if (failing.fail(request, response)) return;
    if (habits.ranges === false) delete request.headers.range;
    if (habits.breaks && breaks > 0 && isWasm(request.url)) {
      breaks -= 1;
      breakOff(response, habits.breaks.after);
    }
    serve(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    answers,
    wasm: () => answers.filter(({ path }) => isWasm(path)),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

class Failing {
  readonly #habit: Habits['fails'];
  #asked = 0;
  failed = 0;
  givenUp = 0;

  constructor(habit: Habits['fails']) {
    this.#habit = habit;
  }

  /** @returns whether it is this one's turn */
  fail({ url = '', socket }: IncomingMessage, response: ServerResponse): boolean {
    if (!this.#habit?.name.test(url)) return false;
    const { how, times, first = 0 } = this.#habit;
    this.#asked += 1;
    if (this.#asked <= first || this.failed >= times) return false;
    this.failed += 1;
    if (how === 'closes') socket.destroy();
    else if (how === 'holds') response.on('close', () => this.givenUp++);
    else response.writeHead(how).end();
    return true;
  }
}

function isWasm(url: string | undefined): boolean {
  return /\.wasm(\?|$)/.test(url ?? '');
}

/** Beside each file a compressed one, which sirv looks for. */
async function precompress(folder: string, how: NonNullable<Habits['compress']>): Promise<void> {
  const { suffix, compress } = COMPRESSED[how];
  for (const file of await glob('**/*.{js,wasm,html}', { cwd: folder })) {
    await writeFile(join(folder, `${file}.${suffix}`), await compress(await readFile(join(folder, file))));
  }
}

function record(
  { url = '', socket }: IncomingMessage,
  response: ServerResponse,
  range: string | undefined,
  answers: Answer[],
): void {
  const before = socket.bytesWritten;
  response.on('close', () => {
    answers.push({
      path: url,
      range,
      status: response.statusCode,
      encoding: response.getHeader('content-encoding') as string | undefined,
      bytes: socket.bytesWritten - before,
    });
  });
}

/** Lets so many bytes of a body through, then closes the connection. */
function breakOff(response: ServerResponse, after: number): void {
  let sent = 0;
  const write = response.write.bind(response) as (chunk: Uint8Array) => boolean;
  const cut = (chunk: Uint8Array) => {
    const left = after - sent;
    sent += chunk.length;
    if (chunk.length <= left) return write(chunk);
    const socket: Socket | null = response.socket;
    write(chunk.subarray(0, left));
    // What was written must leave first.
    socket?.end(() => socket.destroy());
    return false;
  };
  response.write = cut as typeof response.write;
}
