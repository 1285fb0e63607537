/** Parses the output of `NODE_DEBUG=wasm-precompile`: one line for each load. */

export interface Load {
  /** The file of the module. */
  file: string;
  precompiled: boolean;
  /** The engine key, or the reason why native code was not used. */
  detail: string;
  access: string;
}

export function parseLoads(stderr: string): Load[] {
  const lines = stderr.matchAll(
    /^WASM-PRECOMPILE \d+: (?<file>.*) (?<how>(?:pre)?compiled) \((?<detail>.*)\) \d+ bytes (?<access>mapped|read) /gm,
  );
  return [...lines].map(({ groups }) => ({
    file: groups?.['file'] ?? '',
    precompiled: groups?.['how'] === 'precompiled',
    detail: groups?.['detail'] ?? '',
    access: groups?.['access'] ?? '',
  }));
}
