/** The kind of an error, for programs. The message is for people: it names the file, the expectation and the remedy. */
export type ErrorCode =
  | 'INVALID_OPTIONS'
  | 'INVALID_WASM'
  | 'UNSUPPORTED_WASM'
  | 'INVALID_ELF'
  | 'INVALID_ARTIFACT'
  | 'INVALID_NATIVE_CODE'
  | 'INVALID_PROFILE'
  | 'UNREADABLE_FILE'
  | 'UNWRITABLE_FILE'
  | 'UNSUPPORTED_FORMAT'
  | 'UNKNOWN_FORM'
  | 'UNRESOLVED_IMPORT'
  | 'RESERVED_NAME'
  | 'CONFLICT'
  | 'ADDON_BUILD_FAILED'
  | 'TRAINING_FAILED'
  | 'START_FAILED'
  | 'NO_ARTIFACTS'
  | 'INVALID_BENCH';

/** The only error class of the build side: a `code`, a message that says what to do, and a `cause` if known. */
export class WasmPrecompileError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WasmPrecompileError';
    this.code = code;
  }
}

/** Returns the message of a thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
