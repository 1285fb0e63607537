import type { BuildEnvironmentOptions } from 'vite';

/** Converts Vite's `build.assetsInlineLimit`, a number or a function, to a limit in bytes for one file. */
export function viteInlineLimit(
  limit: BuildEnvironmentOptions['assetsInlineLimit'],
): (file: string, wire: Uint8Array) => number {
  if (typeof limit !== 'function') return () => limit ?? 0;
  return (file, wire) => {
    const inlined = limit(file, Buffer.from(wire));
    if (inlined === undefined) return VITE_DEFAULT_LIMIT;
    return inlined ? Infinity : 0;
  };
}

/** Vite's limit in bytes if the function returns undefined. */
const VITE_DEFAULT_LIMIT = 4096;
