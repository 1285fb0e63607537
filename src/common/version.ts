import packageJson from '../../package.json' with { type: 'json' };

/** Of the package, and of the plugin. */
export const { name: NAME } = packageJson;

/** What made an artifact: it is written into it, and is part of every cache key. */
export const PRODUCER = `${NAME} ${packageJson.version}`;

export const VERSION = packageJson.version;
