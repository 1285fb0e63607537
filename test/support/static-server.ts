/** Static servers with different behaviour, based on sirv. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import sirv from 'sirv';
import { glob } from 'tinyglobby';

export interface Behaviour {
  /** Ignores the header `Range`. */
  ranges?: false;
  /** Compresses files if the browser accepts it. */
  compress?: 'gzip' | 'brotli';
  /** The MIME type of wasm files; null for none. */
  type?: string | null;
  /** Answers with `index.html` if there is no such file. */
  spa?: boolean;
  /** Breaks the connection after a number of bytes of a wasm file, a number of times. */
  breaks?: { after: number; times: number };
  /**
   * Fails a number of requests for matching files, except the first ones. It answers with a status, closes the
   * connection, or holds the request without an answer. `/failed` is the number of failed requests, `/given-up`
   * the number of held requests that the browser has aborted.
   */
  fails?: { name: RegExp; how: number | 'closes' | 'holds'; times: number; first?: number };
  /** Allows pages of other origins to read its files. */
  cors?: boolean;
  headers?: Record<string, string>;
  /** Serves files that are added later. */
  dev?: true;
}

/** A request and its answer. */
export interface Answer {
  path: string;
  range: string | undefined;
  status: number;
  encoding: string | undefined;
  /** Bytes that were sent. */
  bytes: number;
}

export interface StaticServer {
  /** Ends with a slash. */
  url: string;
  /** Completed answers, in the order of their completion. */
  answers: Answer[];
  /** The answers for wasm files. */
  wasm(): Answer[];
  close(): Promise<void>;
}

const COMPRESSED = {
  gzip: { suffix: 'gz', compress: (bytes: Uint8Array) => promisify(gzip)(bytes) },
  // The usual quality of servers that compress each answer.
  brotli: {
    suffix: 'br',
    compress: (bytes: Uint8Array) =>
      promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  },
};

export async function serveFolder(folder: string, behaviour: Behaviour = {}): Promise<StaticServer> {
  const { compress, spa = false, type, cors, headers = {} } = behaviour;
  if (compress) await precompress(folder, compress);
  const serve = sirv(folder, {
    dev: behaviour.dev ?? false,
    single: spa,
    // Also for paths with an extension.
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
  let breaks = behaviour.breaks?.times ?? 0;
  const failing = new Failing(behaviour.fails);
  const server = createServer((request, response) => {
    const { range } = request.headers;
    record(request, response, range, answers);
    const count = { '/failed': failing.failed, '/given-up': failing.givenUp }[request.url ?? ''];
    if (count !== undefined) {
      response.end(String(count));
      return;
    }
    if (failing.fail(request, response)) return;
    if (behaviour.ranges === false) delete request.headers.range;
    if (behaviour.breaks && breaks > 0 && isWasm(request.url)) {
      breaks -= 1;
      breakOff(response, behaviour.breaks.after);
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
  readonly #behaviour: Behaviour['fails'];
  #asked = 0;
  failed = 0;
  givenUp = 0;

  constructor(behaviour: Behaviour['fails']) {
    this.#behaviour = behaviour;
  }

  /** @returns whether this request has failed */
  fail({ url = '', socket }: IncomingMessage, response: ServerResponse): boolean {
    if (!this.#behaviour?.name.test(url)) return false;
    const { how, times, first = 0 } = this.#behaviour;
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

/** Writes a compressed file beside each file, which sirv serves. */
async function precompress(folder: string, how: NonNullable<Behaviour['compress']>): Promise<void> {
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

/** Sends a number of bytes of a body, then closes the connection. */
function breakOff(response: ServerResponse, after: number): void {
  let sent = 0;
  const write = response.write.bind(response) as (chunk: Uint8Array) => boolean;
  const cut = (chunk: Uint8Array) => {
    const left = after - sent;
    sent += chunk.length;
    if (chunk.length <= left) return write(chunk);
    const socket: Socket | null = response.socket;
    write(chunk.subarray(0, left));
    // The bytes before must be sent first.
    socket?.end(() => socket.destroy());
    return false;
  };
  response.write = cut as typeof response.write;
}
