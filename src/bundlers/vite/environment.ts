/** Vite's environments: several outputs of one build, for different platforms. */
import type { Platform } from '../../build/codegen/module-source.ts';

/** What is used of an environment. */
export interface Environment {
  name: string;
  config: {
    consumer: 'client' | 'server';
    ssr?: { target?: 'node' | 'webworker' | undefined };
    resolve?: { conditions?: readonly string[] };
  };
}

/** Returns what runs the output of an environment. */
export function platformOf({ config }: Environment): Platform {
  return config.consumer === 'client' ? 'browser' : 'node';
}

/** Whether the runtime of an environment has Node's modules. Workers on a server have none. */
export function hasNodeModules(environment: Environment | undefined): boolean {
  const { ssr, resolve: { conditions = [] } = {} } = environment?.config ?? {};
  const worker = conditions.some((name) => ['workerd', 'worker', 'edge-light'].includes(name));
  return !worker && ssr?.target !== 'webworker';
}
