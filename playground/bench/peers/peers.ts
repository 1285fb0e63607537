/** Other bundlers and plugins, and ours. Does not import their code, which takes long to load. */
import type { Form, Task } from './tasks.ts';

export interface Peer {
  id: PeerId;
  /** Packages whose versions are part of the displayed name. */
  packages: readonly string[];
  /** Import form of each task. */
  forms: Readonly<Record<Task['name'], Form>>;
}

export const PEER_IDS = [
  'vite',
  'precompile',
  'vite-plugin-wasm',
  'unwasm-vite',
  'unwasm-rollup',
  'rollup-wasm',
  'webpack',
] as const;

export type PeerId = (typeof PEER_IDS)[number];

export const PEERS: readonly Peer[] = [
  { id: 'vite', packages: ['vite'], forms: { 'sql.js': 'init', tiktoken: 'exports' } },
  {
    id: 'precompile',
    packages: ['unplugin-wasm-precompile', 'vite'],
    forms: { 'sql.js': 'init', tiktoken: 'exports' },
  },
  {
    id: 'vite-plugin-wasm',
    packages: ['vite-plugin-wasm', 'vite'],
    forms: { 'sql.js': 'exports', tiktoken: 'exports' },
  },
  { id: 'unwasm-vite', packages: ['unwasm', 'vite'], forms: { 'sql.js': 'module', tiktoken: 'exports' } },
  { id: 'unwasm-rollup', packages: ['unwasm', 'rollup'], forms: { 'sql.js': 'module', tiktoken: 'exports' } },
  {
    id: 'rollup-wasm',
    packages: ['@rollup/plugin-wasm', 'rollup'],
    forms: { 'sql.js': 'function', tiktoken: 'exports' },
  },
  { id: 'webpack', packages: ['webpack'], forms: { 'sql.js': 'exports', tiktoken: 'exports' } },
];

/** Argument of a build. */
export interface PeerJob {
  /** Absolute path of the folder with `main.js`, which imports the task. */
  folder: string;
  outDir: string;
  /** Node executable, for plugins that compile native code. */
  target: string;
}
