// CRC-32 as zlib computes it. Node's zlib processes 4 bytes a nanosecond, which for a large artifact is a quarter of
// startup; with carry-less multiplication, CRC-32 is as fast as memory.

#ifndef WASM_PRECOMPILE_CRC32_H_
#define WASM_PRECOMPILE_CRC32_H_

#include <cstddef>
#include <cstdint>

// Extends `crc`, the checksum of all bytes before, by these. The checksum of no bytes is 0.
uint32_t Crc32(uint32_t crc, const uint8_t* data, size_t size);

#endif  // WASM_PRECOMPILE_CRC32_H_
