import type { BuildEnvironmentOptions } from 'vite';

/** Vite's `build.assetsInlineLimit`, a number or a function that decides, as a limit in bytes for one file. */
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

/** What Vite falls back to where the function does not decide. */
const VITE_DEFAULT_LIMIT = 4096;
