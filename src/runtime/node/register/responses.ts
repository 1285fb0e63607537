/** Decides which responses the hook reads before the engine does. */

/**
 * Returns the bytes of a response that may be a known module, or undefined for a response that reaches the
 * engine untouched: the engine compiles it while it arrives.
 *
 * @param isKnownSize whether a known module has this many bytes
 */
export async function readResponse(
  response: unknown,
  isKnownSize: (size: number) => boolean,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (!isResponse(response) || response.bodyUsed || !response.ok) return undefined;
  const { body, headers, url } = response;
  if (body?.locked) return undefined;
  if (headers.get('content-type') !== 'application/wasm' || headers.has('content-encoding')) return undefined;
  // The program made it, or it is a file of the output (../file.ts): nothing is gained by compiling while it is read.
  const isLocal = url === '' || url.startsWith('file:');
  if (!isLocal && !isKnownSize(Number(headers.get('content-length')))) return undefined;
  return new Uint8Array(await response.arrayBuffer());
}

/** Node loads `Response` when it is first touched. The tag shows that this has happened already. */
function isResponse(value: unknown): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]' && value instanceof Response;
}
