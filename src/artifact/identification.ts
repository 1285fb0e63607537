/** The fields of the ELF header that identify an artifact. */
import { EM_AARCH64, EM_NONE, EM_X86_64 } from '../elf/constants.ts';
import type { Machine } from './contents.ts';

/**
 * EI_OSABI of artifacts and objects: a value of this project's own. No registered ABI has it, so no operating
 * system executes the file. Wasmtime does the same with ELFOSABI_WASMTIME, which is 200
 * (crates/environ/src/obj.rs). GNU ld and gold accept an object with this value and do not pass it on to what
 * they link.
 */
export const ELFOSABI_ARTIFACT = 201;

/** e_machine by machine. */
export const MACHINES: Readonly<Record<Machine, number>> = {
  x64: EM_X86_64,
  arm64: EM_AARCH64,
  none: EM_NONE,
};
