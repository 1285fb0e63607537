/**
 * The training run of a build: starts the server of the mode in its argument, requests the page, and ends the
 * server.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const server = spawn(
  process.execPath,
  [fileURLToPath(new URL(`dist/${process.argv[2]}/server.js`, import.meta.url))],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
const exit = once(server, 'exit');
const [url] = await Promise.race([once(createInterface(server.stdout), 'line'), exit]);
const response = await fetch(url);
console.log(`${url}: ${response.status}, ${(await response.text()).length} characters`);
server.kill();
await exit;
process.exitCode = response.ok ? 0 : 1;
