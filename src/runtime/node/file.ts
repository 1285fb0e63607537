/** A plain wasm file in the output, for bundled code that loads it itself. */
import { builtin, fileURLToPath } from './builtin.ts';

const { readFile } = builtin('node:fs');
const { pathToFileURL } = builtin('node:url');
const { dirname: folderOf, isAbsolute, join, normalize } = builtin('node:path');

export interface OutputFile {
  /** File URL. */
  url: string;
  path: string;
  /** File URL of a chunk of the output. */
  base: string;
  /**
   * Returns the file's location in the output if `value` is its location in the source, relative to the code. Returns
   * any other value unchanged.
   *
   * @param value what the program computed from the file's name
   * @param from file URL of the code, or path of its folder
   * @param name path of the file, relative to `from`
   */
  locate: <Value>(value: Value, from: string, name: string) => Value;
  /**
   * Returns what `require.resolve` finds, if the package is installed where the program runs: code may look for the
   * neighbours of the file. Otherwise returns the file's path in the output.
   */
  resolve: (specifier: string) => string;
  /** The same as a file URL, for `import.meta.resolve`. */
  resolveUrl: (specifier: string) => string;
  /** Returns the folder of a file URL; a path stays unchanged. */
  dirname: (from: string) => string;
  /** Fetches files of the output, which Node's own `fetch` rejects. */
  fetch: typeof fetch;
}

/** Paths by file URLs. */
const paths = new Map<string, string>();

/** @param url file URL of the wasm file */
export function createFile(url: string, base: string): OutputFile {
  const path = fileURLToPath(url);
  paths.set(url, path);
  return {
    url,
    path,
    base,
    dirname,
    fetch,
    resolve: (specifier) => findInstalled(specifier, base) ?? path,
    resolveUrl(specifier) {
      const installed = findInstalled(specifier, base);
      return installed === undefined ? url : pathToFileURL(installed).href;
    },
    locate(value, from, name) {
      if (typeof value !== 'string') return value;
      const isUrl = value.startsWith('file:');
      try {
        const place = isUrl ? fileURLToPath(value) : value;
        const expected = join(dirname(from), name);
        if (isAbsolute(place) && normalize(place) === expected) return (isUrl ? url : path) as typeof value;
      } catch {
        // Not a valid file URL.
      }
      return value;
    },
  };
}

function findInstalled(specifier: string, base: string): string | undefined {
  try {
    return builtin('node:module').createRequire(base).resolve(specifier);
  } catch {
    return undefined;
  }
}

function dirname(from: string): string {
  return from.startsWith('file:') ? folderOf(fileURLToPath(from)) : from;
}

async function fetch(...args: Parameters<typeof globalThis.fetch>): Promise<Response> {
  const [input] = args;
  const path = typeof input === 'string' || input instanceof URL ? paths.get(String(input)) : undefined;
  if (path === undefined) return globalThis.fetch(...args);
  const body = new ReadableStream(
    {
      async pull(controller) {
        controller.enqueue(new Uint8Array(await builtin('node:util').promisify(readFile)(path)));
        controller.close();
      },
    },
    // Reads the file only when the body is read.
    { highWaterMark: 0 },
  );
  const response = new Response(body, { headers: { 'content-type': 'application/wasm' } });
  Object.defineProperty(response, 'url', { value: String(input) });
  return response;
}
