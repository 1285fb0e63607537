import packageJson from '../../package.json' with { type: 'json' };

/** Name of the package and of the plugin. */
export const { name: NAME } = packageJson;

/** Identifies the tool that made an artifact. Every artifact holds it, and every cache key includes it. */
export const PRODUCER = `${NAME} ${packageJson.version}`;

export const VERSION = packageJson.version;
