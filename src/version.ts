import packageJson from '../package.json' with { type: 'json' };

/** What made an artifact: it is written into it, and is part of every cache key. */
export const PRODUCER = `${packageJson.name} ${packageJson.version}`;

export const VERSION = packageJson.version;
