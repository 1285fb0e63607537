// CRC-32 as zlib computes it. Node's zlib takes 4 bytes a nanosecond, which for a large artifact is a quarter of a start; with
// carry-less multiplication it is as fast as memory.

#ifndef WASM_PRECOMPILE_CRC32_H_
#define WASM_PRECOMPILE_CRC32_H_

#include <zlib.h>

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_CARRYLESS_MULTIPLICATION 1
#include <immintrin.h>
#endif

inline uint32_t PlainCrc32(uint32_t crc, const uint8_t* data, size_t size) {
  return static_cast<uint32_t>(crc32_z(crc, data, size));
}

#ifdef HAS_CARRYLESS_MULTIPLICATION

// Moves a remainder of 16 bytes on by as many bytes as the factors are for: each half times its power of x, modulo the polynomial.
__attribute__((target("pclmul,sse4.1"))) inline __m128i Fold(__m128i remainder, __m128i factors, const uint8_t* next) {
  __m128i low = _mm_clmulepi64_si128(remainder, factors, 0x00);
  __m128i high = _mm_clmulepi64_si128(remainder, factors, 0x11);
  __m128i data = _mm_loadu_si128(reinterpret_cast<const __m128i*>(next));
  return _mm_xor_si128(_mm_xor_si128(low, high), data);
}

// Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009, with its constants for
// this polynomial: four remainders side by side, each moved on by 64 bytes at a time, then put together. 16 bytes are
// left that have the same remainder as all before them; those, and what follows, are zlib's.
__attribute__((target("pclmul,sse4.1"))) inline uint32_t FoldedCrc32(uint32_t crc, const uint8_t* data, size_t size) {
  constexpr size_t kBlock = 64;
  if (size < 2 * kBlock) return PlainCrc32(crc, data, size);
  // x^(512+32) and x^(512-32), x^(128+32) and x^(128-32), bits reversed.
  const __m128i by_block = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
  const __m128i by_lane = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
  const uint8_t* end = data + size;
  __m128i lanes[4];
  for (__m128i& lane : lanes) {
    lane = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data));
    data += sizeof lane;
  }
  lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128(static_cast<int>(~crc)));
  while (static_cast<size_t>(end - data) >= kBlock) {
    for (__m128i& lane : lanes) {
      lane = Fold(lane, by_block, data);
      data += sizeof lane;
    }
  }
  uint8_t remainder[16];
  __m128i joined = lanes[0];
  for (int i = 1; i < 4; i++) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(remainder), lanes[i]);
    joined = Fold(joined, by_lane, remainder);
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(remainder), joined);
  // zlib inverts what it begins with: this is 0.
  return PlainCrc32(PlainCrc32(0xffffffff, remainder, sizeof remainder), data, end - data);
}

#endif

// Of all before, which has `crc`, and of this.
inline uint32_t Crc32(uint32_t crc, const uint8_t* data, size_t size) {
#ifdef HAS_CARRYLESS_MULTIPLICATION
  if (__builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) return FoldedCrc32(crc, data, size);
#endif
  return PlainCrc32(crc, data, size);
}

#endif  // WASM_PRECOMPILE_CRC32_H_
