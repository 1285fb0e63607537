/**
 * Workers. V8 shares the code of a module between threads, and a worker may be terminated at any moment, so workers
 * send their modules to the main thread at once, which writes what all threads executed when the process ends.
 */
import nodeModule from 'node:module';
import threads from 'node:worker_threads';
import { FOLDER_VARIABLE } from './folder.ts';
import type { FOREIGN, ModuleNews } from './modules.ts';

const CHANNEL = 'wasm-precompile.recorder';

type News = ModuleNews | typeof FOREIGN;

const { BroadcastChannel, receiveMessageOnPort } = threads;

/** In a worker: tells the main thread. */
export function createTeller(): (news: News) => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.unref();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
  return (news) => channel.postMessage(news);
}

/**
 * In the main thread: what workers tell, from the moment before the first one starts.
 *
 * @returns takes in what has not been yet
 */
export function listenToWorkers(learn: (news: News) => void): { start(): void; drain(): void } {
  let channel: threads.BroadcastChannel | undefined;
  return {
    start() {
      if (channel) return;
      channel = new BroadcastChannel(CHANNEL);
      (channel as unknown as EventTarget).addEventListener('message', (event) =>
        learn((event as MessageEvent<News>).data),
      );
      channel.unref();
    },
    drain() {
      if (!channel) return;
      // The types know message ports only.
      const port = channel as unknown as threads.MessagePort;
      for (;;) {
        const received = receiveMessageOnPort(port) as { message: News } | undefined;
        if (!received) break;
        learn(received.message);
      }
    },
  };
}

/**
 * Calls `start` before a worker is made, and lets workers with an environment of their own record, too.
 *
 * @param folder the value of the environment variable
 * @param preload the option of node that runs this script
 */
export function installWorkerHook(start: () => void, folder: string, preload: string): void {
  const { Worker } = threads;
  const proxy: typeof Worker = new Proxy(Worker, {
    construct(target, [file, options, ...rest]: unknown[], newTarget) {
      try {
        start();
      } catch {
        // Its modules are lost, the program must not be.
      }
      const args = [file, withEnvironment(options, folder, preload), ...rest];
      return Reflect.construct(target, args, newTarget === proxy ? target : newTarget) as object;
    },
  });
  Object.defineProperty(Worker.prototype, 'constructor', {
    configurable: true,
    writable: true,
    value: proxy,
  });
  threads.Worker = proxy;
  nodeModule.syncBuiltinESMExports();
}

function withEnvironment(options: unknown, folder: string, preload: string): unknown {
  if (typeof options !== 'object' || options === null || !('env' in options)) return options;
  const { env } = options;
  if (typeof env !== 'object' || env === null || FOLDER_VARIABLE in env) return options;
  const own = (env as NodeJS.ProcessEnv)['NODE_OPTIONS'];
  const all = own === undefined ? preload : `${own} ${preload}`;
  return { ...options, env: { ...env, NODE_OPTIONS: all, [FOLDER_VARIABLE]: folder } };
}
