/** Codes of the instructions and types that the modules of a split get added. */

// https://webassembly.github.io/spec/core/binary/instructions.html
export const UNREACHABLE = 0x00;
export const IF = 0x04;
export const END = 0x0b;
export const CALL_INDIRECT = 0x11;
export const RETURN_CALL_INDIRECT = 0x13;
export const LOCAL_GET = 0x20;
export const GLOBAL_GET = 0x23;
export const I32_CONST = 0x41;

// https://webassembly.github.io/spec/core/binary/types.html
export const FUNC = 0x60;
export const I32 = 0x7f;
export const FUNCREF = 0x70;
/** The block type of a block without parameters and results. */
export const NO_VALUE = 0x40;
/** The flags of limits that have a maximum. */
export const WITH_MAXIMUM = 1;
/** The mutability of a global that can change. */
export const MUTABLE = 1;
