/** Runs the server of each build, with the current node. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { MODES, type Mode, outputFile } from './build.ts';

export interface Server {
  url: string;
}

export type Servers = Record<Mode, Server> & {
  /** Resolves when a server is stopped; rejects when it ends by itself. */
  ended: Promise<void>;
  stop(): Promise<void>;
};

/** @throws Error if a server does not start */
export async function startServers(): Promise<Servers> {
  const started = MODES.map((mode) => {
    const child = execa(process.execPath, [outputFile(mode, 'server.js')], {
      env: { PORT: '0' },
      stderr: 'inherit',
      reject: false,
      buffer: false,
    });
    const ended = (async () => {
      const { exitCode, signal } = await child;
      // Ctrl-C in a terminal also reaches the servers.
      if (signal === 'SIGINT' || signal === 'SIGTERM') return;
      throw new Error(`the ${mode} server ended (${signal ?? `exit code ${exitCode}`})`);
    })();
    const firstLine = once(createInterface(child.stdout), 'line').then(([line]) => ({ url: String(line) }));
    return { child, ended, ready: Promise.race([firstLine, ended]) };
  });
  const stop = async () => {
    for (const { child } of started) child.kill();
    await Promise.all(started.map(({ child }) => child));
  };
  const ended = Promise.race(started.map((server) => server.ended));
  // Swallow the rejection here; awaiting callers still see it.
  ended.catch(() => {});
  try {
    const ready = await Promise.all(
      started.map(async (server, index) => {
        const running = await server.ready;
        if (!running) throw new Error('a server did not start');
        return [MODES[index], running] as const;
      }),
    );
    const servers = Object.fromEntries(ready) as Record<Mode, Server>;
    return { ...servers, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Requests each page once.
 *
 * @param modules modules whose results a page must show
 * @throws Error if a page lacks a result, or shows other results than the page before
 */
export async function checkPages(servers: Servers, modules: readonly string[]): Promise<void> {
  let expected: string | undefined;
  for (const mode of MODES) {
    const { url } = servers[mode];
    const response = await fetch(url);
    const html = await response.text();
    if (!response.ok) throw new Error(`${url} (${mode}) answered with status ${response.status}: ${html}`);
    const results = modules.map((module) => {
      const [, digest] = html.split(`data-module="${module}" data-result="`);
      if (digest === undefined) throw new Error(`${url} (${mode}): the page shows no result of ${module}`);
      return digest.split('"', 1)[0];
    });
    expected ??= results.join();
    if (results.join() !== expected) throw new Error(`${url} (${mode}): the page shows other results`);
  }
}
