/** Node versions to build for and to measure. */
import { execa } from 'execa';
import { messageOf } from '../../src/common/error.ts';
import { ensureNode, NODE_VERSIONS, type NodeVersion } from '../../test/support/nodes.ts';
import { UsageError } from './arguments.ts';

export interface InstalledNode {
  missing?: undefined;
  /** `process.versions.node`. */
  version: string;
  /** Path of the executable. */
  path: string;
}

export type NodeChoice =
  | InstalledNode
  | {
      /** The reason why it is missing. */
      missing: string;
      /** The requested version. */
      version: string;
    };

/** The supported major versions, with the host in place of its own. */
export const DEFAULT_NODES: string[] = [
  'host',
  ...['20', '22', '24', '26'].filter((name) => name !== hostMajor()),
];

/**
 * Finds the executables, and installs missing ones.
 *
 * @param names `host`, or the beginning of a version: `22`, `20.19`. The host's own major version means the host
 * @throws UsageError for an unknown name
 */
export async function findNodes(names: readonly string[]): Promise<NodeChoice[]> {
  const versions = new Set(names.map(findVersion));
  const nodes: NodeChoice[] = [];
  for (const version of versions) nodes.push(await findNode(version));
  return nodes;
}

/** Like `findNodes`, but requires all of them. @throws Error if one is missing */
export async function chooseNodes(names: readonly string[]): Promise<InstalledNode[]> {
  return (await findNodes(names)).map((node) => {
    if (node.missing !== undefined) throw new Error(node.missing);
    return node;
  });
}

export function isInstalled(node: NodeChoice): node is InstalledNode {
  return node.missing === undefined;
}

export function latestNode(nodes: readonly NodeChoice[]): InstalledNode | undefined {
  return nodes
    .filter(isInstalled)
    .toSorted((one, other) => one.version.localeCompare(other.version, 'en', { numeric: true }))
    .at(-1);
}

function findVersion(name: string): NodeVersion | 'host' {
  if (name === 'host' || name === hostMajor()) return 'host';
  const version = NODE_VERSIONS.find((known) => known === name || known.split('.', 1)[0] === name);
  if (!version) {
    throw new UsageError(
      `unknown Node version "${name}": expected host or one of ${NODE_VERSIONS.join(', ')}`,
    );
  }
  return version;
}

async function findNode(version: NodeVersion | 'host'): Promise<NodeChoice> {
  try {
    const path = version === 'host' ? process.execPath : await install(version);
    return { path, version: await askVersion(path) };
  } catch (error) {
    return { version, missing: messageOf(error) };
  }
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
