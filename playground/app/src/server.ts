/**
 * The server of one page with the results of three wasm modules. The modules are started at the first request,
 * one after the other, so that each has the whole machine. Listens on PORT (default: a free port) and prints
 * its URL.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MODULES } from './modules/index.ts';
import { renderPage } from './page.ts';
import { timeStartup } from './startup.ts';

let page: Promise<string> | undefined;

async function createPage(): Promise<string> {
  const sql = await timeStartup((await MODULES['sql.js']()).start);
  const resvg = await timeStartup((await MODULES['@resvg/resvg-wasm']()).start);
  const swc = await timeStartup((await MODULES['@swc/wasm-web']()).start);
  return renderPage({ mode: import.meta.env.MODE, sql, resvg, swc });
}

const server = createServer(async ({ url }, response) => {
  if (url !== '/') {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('Not found. The page is at /\n');
    return;
  }
  try {
    const html = await (page ??= createPage());
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
  } catch (error) {
    console.error(error);
    response.writeHead(500, { 'content-type': 'text/plain' }).end(`${String(error)}\n`);
  }
});

server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(`http://127.0.0.1:${port}/`);
});
