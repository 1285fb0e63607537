/** Which Node versions to build for and to measure. */
import { execa } from 'execa';
import { ensureNode, NODE_VERSIONS, type NodeVersion } from '../test/support/nodes.ts';

export interface NodeChoice {
  /** As `process.versions.node` tells it. */
  version: string;
  /** Of the executable. */
  path: string;
}

/** Those that native code is made for: the host, and the others of them. */
export const DEFAULT_NODES: string[] = [
  'host',
  ...['20', '22', '24', '26'].filter((name) => name !== hostMajor()),
];

/**
 * Finds the executables, installing those that are not there.
 *
 * @param names `host`, or what begins a version: `22`, `20.19`. The host's own major version means the host
 * @throws Error for a name that is not known
 */
export async function chooseNodes(names: readonly string[]): Promise<NodeChoice[]> {
  const paths = new Set<string>();
  for (const name of names) paths.add(await findNode(name));
  return Promise.all([...paths].map(async (path) => ({ path, version: await askVersion(path) })));
}

async function findNode(name: string): Promise<string> {
  if (name === 'host' || name === hostMajor()) return process.execPath;
  const version = NODE_VERSIONS.find((known) => known === name || known.split('.', 1)[0] === name);
  if (!version) {
    throw new Error(`unknown Node version "${name}": expected host or one of ${NODE_VERSIONS.join(', ')}`);
  }
  return install(version);
}

async function install(version: NodeVersion): Promise<string> {
  const note = setTimeout(() => console.error(`Installing Node ${version} into .nodes/ …`), 500);
  try {
    return await ensureNode(version);
  } finally {
    clearTimeout(note);
  }
}

async function askVersion(path: string): Promise<string> {
  const { stdout } = await execa(path, ['--version']);
  return stdout.replace(/^v/, '');
}

function hostMajor(): string {
  return String(process.versions.node.split('.', 1)[0]);
}
