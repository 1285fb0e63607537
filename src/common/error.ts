/** What went wrong, for programs. The message is for people: it names the file, what was expected and what to do. */
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

/** The one error class of the build side: a `code`, a message that says what to do, and the `cause` where there is one. */
export class WasmPrecompileError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WasmPrecompileError';
    this.code = code;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
