/** Training with several threads and processes, and with all ways in which a process ends. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Project } from '../support/project.ts';
import { createProgram, ENDED, executedBy, NODES, train } from './support.ts';

/** In a worker: runs functions of a new instance, reports that, and may keep running. */
const IN_WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const own = start();
  for (const name of workerData.calls) attempt(() => own[name](1));
  parentPort.postMessage('done');
  if (workerData.then === 'stay') setInterval(() => {}, 1000);
  if (workerData.then === 'spin') for (;;);
`;

/** `run(calls, then, options)` starts a worker, and resolves when it has run the functions. */
const WORKERS = `
  const { Worker } = require('node:worker_threads');
  const run = (calls, then, options) => new Promise((resolve) => {
    const worker = new Worker(join(__dirname, 'in-worker.cjs'), { workerData: { calls, then }, ...options });
    worker.on('message', () => resolve(worker));
  });
`;

describe.each(NODES)('Node $version', ({ node }) => {
  let project: Project;
  beforeAll(async () => {
    project = await createProgram({
      'in-worker.cjs': IN_WORKER,
      'four-workers.cjs': `${WORKERS}
        start().nop();
        for (const calls of [['a'], ['trap'], ['escape'], []]) run(calls);
      `,
      'terminated.cjs': `${WORKERS}
        run(['a'], 'stay').then((worker) => worker.terminate());
        run(['b'], 'spin').then((worker) => worker.terminate());
      `,
      'exit-while-running.cjs': `${WORKERS}
        Promise.all([run(['a'], 'spin'), run(['trap'], 'stay')]).then(() => process.exit(0));
      `,
      'busy-main.cjs': `${WORKERS}
        run(['a'], 'stay');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
        setTimeout(() => process.exit(0), 200);
      `,
      'own-environment.cjs': `${WORKERS}
        run(['a'], 'end', { env: {} });
        run(['b'], 'end', { env: { NODE_OPTIONS: '--no-warnings' }, execArgv: [] });
      `,
      'posted.cjs': `
        const { Worker } = require('node:worker_threads');
        const worker = new Worker(\`
          const { parentPort, workerData } = require('node:worker_threads');
          new WebAssembly.Instance(workerData, { env: { call() {}, other() {} } }).exports.b();
          parentPort.postMessage('done');
          setInterval(() => {}, 1000);
        \`, { eval: true, workerData: new WebAssembly.Module(bytes) });
        worker.on('message', () => worker.terminate());
      `,
      'starting-worker.cjs': `
        const { Worker } = require('node:worker_threads');
        const worker = new Worker(\`
          const { parentPort, workerData } = require('node:worker_threads');
          const instance = new WebAssembly.Instance(new WebAssembly.Module(workerData), { env: { call() {} } });
          instance.exports.y();
          parentPort.postMessage('done');
          setInterval(() => {}, 1000);
        \`, { eval: true, workerData: fs.readFileSync(join(__dirname, 'starting.wasm')) });
        worker.on('message', () => worker.terminate());
      `,
      'run.cjs':
        'const own = start(); for (const name of process.argv.slice(2)) attempt(() => own[name](1));',
      'children.cjs': `${WORKERS}
        const { fork, spawn, execFileSync } = require('node:child_process');
        const file = join(__dirname, 'run.cjs');
        execFileSync(process.execPath, [file, 'a']);
        fork(file, ['trap']);
        spawn('sh', ['-c', '"$@"; true', 'sh', process.execPath, file, 'escape'], { stdio: 'inherit' });
        for (const calls of [['nop'], ['nop'], ['hot'], []]) run(calls);
      `,
      'cluster.cjs': `
        const cluster = require('node:cluster');
        if (cluster.isPrimary) {
          const names = ['a', 'indirect'];
          for (const name of names) cluster.fork({ NAME: name });
          cluster.on('message', (worker) => worker.kill());
        } else {
          start()[process.env.NAME]();
          process.send('done');
          setInterval(() => {}, 1000);
        }
      `,
      'end.cjs': `
        const own = start();
        own.a();
        const ways = {
          exit: () => process.exit(3),
          throw: () => { throw new Error('uncaught'); },
          reject: () => Promise.reject(new Error('unhandled')),
          listener: () => process.on('exit', () => { own.nop(); process.exitCode = 6; }),
          throwingListener: () => process.on('exit', () => { own.nop(); throw new Error('late'); }),
          exitingListener: () => process.on('exit', () => { own.nop(); process.exit(7); }),
          noListeners: () => process.removeAllListeners('exit'),
          noListenersAtAll: () => process.removeAllListeners(),
          reallyExit: () => process.reallyExit(8),
          emit: () => {
            const { emit } = process;
            process.emit = function (event, ...rest) {
              if (event === 'exit') own.nop();
              return emit.call(this, event, ...rest);
            };
          },
          unhandled: () => { WebAssembly.compile(new Uint8Array(4)); },
          handled: () => {
            process.on('SIGTERM', () => { own.nop(); process.exit(4); });
            setTimeout(() => process.kill(process.pid, 'SIGTERM'), 20);
          },
          once: () => {
            process.once('SIGTERM', () => { own.nop(); setImmediate(() => process.kill(process.pid, 'SIGTERM')); });
            setTimeout(() => process.kill(process.pid, 'SIGTERM'), 20);
          },
          // As signal-exit does, which checks that there is no other listener.
          alone: () => {
            const listener = () => {
              if (process.listeners('SIGINT').length > 1) return;
              process.removeListener('SIGINT', listener);
              process.kill(process.pid, 'SIGINT');
            };
            process.on('SIGINT', listener);
            setTimeout(() => process.kill(process.pid, 'SIGINT'), 20);
          },
        };
        const way = process.argv[2];
        if (way.startsWith('SIG')) setTimeout(() => process.kill(process.pid, way), 20);
        else ways[way]();
        if (way.startsWith('SIG') || ['handled', 'once', 'alone'].includes(way)) setInterval(() => {}, 1000);
      `,
    });
  });

  test.each([
    ['workers', 'four-workers.cjs', ['helper', 'a', 'trap', 'escape', 'nop']],
    ['workers that are terminated', 'terminated.cjs', ['helper', 'a', 'never', 'b']],
    ['workers that run while the process exits', 'exit-while-running.cjs', ['helper', 'a', 'trap']],
    ['a worker that begins while the main thread is busy', 'busy-main.cjs', ['helper', 'a']],
    ['workers with an environment of their own', 'own-environment.cjs', ['helper', 'a', 'never', 'b']],
    ['a module that was posted to a worker', 'posted.cjs', ['never', 'b']],
    ['three processes and four workers', 'children.cjs', ['helper', 'a', 'trap', 'escape', 'hot', 'nop']],
    ['a cluster whose workers are ended by SIGTERM', 'cluster.cjs', ['helper', 'a', 'listed', 'indirect']],
  ])('records %s', async (_, file, executed) => {
    const result = await train(project, [node, file]);
    expect(result).toMatchObject({ output: '', exit: ENDED, problems: [] });
    expect(executedBy(result)).toEqual({ sample: executed });
  });

  test('records a terminated worker with a start function', async () => {
    const result = await train(project, [node, 'starting-worker.cjs']);
    expect(result).toMatchObject({ exit: ENDED, problems: [] });
    expect(executedBy(result)).toEqual({ starting: [1, 2, 3] });
  });

  test.each([
    ['exit', { code: 3 }, ['helper', 'a']],
    ['throw', { code: 1 }, ['helper', 'a']],
    ['listener', { code: 6 }, ['helper', 'a', 'nop']],
    ['throwingListener', { code: 1 }, ['helper', 'a', 'nop']],
    ['exitingListener', { code: 7 }, ['helper', 'a', 'nop']],
    ['noListeners', { code: 0 }, ['helper', 'a']],
    ['noListenersAtAll', { code: 0 }, ['helper', 'a']],
    ['reallyExit', { code: 8 }, ['helper', 'a']],
    ['emit', { code: 0 }, ['helper', 'a', 'nop']],
    ['reject', { code: 1 }, ['helper', 'a']],
    ['unhandled', { code: 1 }, ['helper', 'a']],
    ['SIGTERM', { signal: 'SIGTERM' }, ['helper', 'a']],
    ['SIGINT', { signal: 'SIGINT' }, ['helper', 'a']],
    ['SIGHUP', { signal: 'SIGHUP' }, ['helper', 'a']],
    ['SIGQUIT', { signal: 'SIGQUIT' }, ['helper', 'a']],
    ['SIGUSR2', { signal: 'SIGUSR2' }, ['helper', 'a']],
    ['handled', { code: 4 }, ['helper', 'a', 'nop']],
    ['once', { signal: 'SIGTERM' }, ['helper', 'a', 'nop']],
    ['alone', { signal: 'SIGINT' }, ['helper', 'a']],
  ])('ends by %s as without the recorder', async (way, exit, executed) => {
    const result = await train(project, [node, 'end.cjs', way]);
    expect(result).toMatchObject({ exit: { ...ENDED, code: undefined, ...exit }, problems: [] });
    expect(executedBy(result)).toEqual({ sample: executed });
  });
});
