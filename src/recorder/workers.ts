/**
 * Workers. V8 shares the code of a module between threads, and a worker may be terminated at any moment.
 * Workers therefore send their modules to the main thread at once, and the main thread writes what all threads
 * executed at the end.
 */
import nodeModule from 'node:module';
import threads from 'node:worker_threads';
import type { WorkerMessage } from './loaded-modules.ts';
import { FOLDER_VARIABLE } from './record-folder.ts';

const CHANNEL = 'wasm-precompile.recorder';

const { BroadcastChannel, receiveMessageOnPort } = threads;

/** In a worker: returns a function that sends a message to the main thread. */
export function createMessageSender(): (message: WorkerMessage) => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.unref();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- only windows have an origin
  return (message) => channel.postMessage(message);
}

/**
 * In the main thread: receives the messages of workers.
 *
 * @returns `start`, to call before the first worker starts, and `drain`, which receives what is still queued
 */
export function receiveWorkerMessages(receive: (message: WorkerMessage) => void): {
  start(): void;
  drain(): void;
} {
  let channel: threads.BroadcastChannel | undefined;
  return {
    start() {
      if (channel) return;
      channel = new BroadcastChannel(CHANNEL);
      (channel as unknown as EventTarget).addEventListener('message', (event) =>
        receive((event as MessageEvent<WorkerMessage>).data),
      );
      channel.unref();
    },
    drain() {
      if (!channel) return;
      // The declared parameter type is a message port, but Node also accepts a channel.
      const port = channel as unknown as threads.MessagePort;
      for (;;) {
        const received = receiveMessageOnPort(port) as { message: WorkerMessage } | undefined;
        if (!received) break;
        receive(received.message);
      }
    },
  };
}

/**
 * Calls `start` before a worker is created, and makes workers with an environment of their own record as well.
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
        // The worker's modules are not recorded, but the program must run.
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
