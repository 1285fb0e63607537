// The address space of this process.

#ifndef WASM_PRECOMPILE_ADDRESS_SPACE_H_
#define WASM_PRECOMPILE_ADDRESS_SPACE_H_

// Whether the process has a limit of address space (`ulimit -v`). Each thread takes a stack and a heap of 64 MiB,
// so the addon starts none then.
bool IsAddressSpaceLimited();

// Bytes of address space that the process has reserved, or -1 if the platform does not report it.
double ReservedAddressSpace();

#endif  // WASM_PRECOMPILE_ADDRESS_SPACE_H_
