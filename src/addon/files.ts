/**
 * Paths of the native addon's binaries: `prebuilds/<platform>-<arch>/node.abi<number>.node`, the layout of
 * node-gyp-build. The package contains some; `wasm-precompile addon build` adds others. The sources are in src/native.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The platform and Node version that a binary is built for. */
export interface AddonTarget {
  /** `process.platform`. */
  platform: string;
  arch: string;
  /** `process.versions.modules`. */
  abi: string;
}

const PACKAGE_FOLDER = fileURLToPath(new URL('../../', import.meta.url));

export const PREBUILDS_FOLDER = join(PACKAGE_FOLDER, 'prebuilds');

/** The C++ sources and binding.gyp. */
export const NATIVE_SOURCES_FOLDER = join(PACKAGE_FOLDER, 'src', 'native');

export function addonFile({ platform, arch, abi }: AddonTarget): string {
  return join(PREBUILDS_FOLDER, `${platform}-${arch}`, `node.abi${abi}.node`);
}

/** Returns the path of the binary for a target, or undefined if there is none. */
export function findAddon(target: AddonTarget): string | undefined {
  const file = addonFile(target);
  return existsSync(file) ? file : undefined;
}

/**
 * Returns the binaries for all versions of Node on a platform.
 *
 * @param key `<platform>-<arch>-<abi>` of one of them
 */
export function findAddons(key: string): [key: string, file: string][] {
  const platform = key.slice(0, key.lastIndexOf('-'));
  const folder = join(PREBUILDS_FOLDER, platform);
  if (platform === '' || !existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const abi = /^node\.abi(\d+)\.node$/.exec(name)?.[1];
    return abi === undefined ? [] : [[`${platform}-${abi}`, join(folder, name)]];
  });
}
