#include "crc32.h"

#include <zlib.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_CARRYLESS_MULTIPLICATION 1
#include <immintrin.h>
#endif

namespace {

uint32_t ZlibCrc32(uint32_t crc, const uint8_t* data, size_t size) {
  return static_cast<uint32_t>(crc32_z(crc, data, size));
}

#ifdef HAS_CARRYLESS_MULTIPLICATION

// Advances a remainder of 16 bytes by the distance that `factors` stand for, and adds the next 16 bytes. Each half of
// the remainder is multiplied by its power of x, modulo the polynomial.
__attribute__((target("pclmul,sse4.1"))) __m128i Fold(__m128i remainder, __m128i factors, const uint8_t* next) {
  __m128i low = _mm_clmulepi64_si128(remainder, factors, 0x00);
  __m128i high = _mm_clmulepi64_si128(remainder, factors, 0x11);
  __m128i data = _mm_loadu_si128(reinterpret_cast<const __m128i*>(next));
  return _mm_xor_si128(_mm_xor_si128(low, high), data);
}

// Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009, with its
// constants for this polynomial. Four remainders advance side by side, 64 bytes at a time, and are then combined into
// 16 bytes with the same remainder as all bytes before them. zlib continues from there.
__attribute__((target("pclmul,sse4.1"))) uint32_t FoldedCrc32(uint32_t crc, const uint8_t* data, size_t size) {
  constexpr size_t kBlock = 64;
  if (size < 2 * kBlock) return ZlibCrc32(crc, data, size);
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
  // zlib inverts its initial value, so this one is 0.
  return ZlibCrc32(ZlibCrc32(0xffffffff, remainder, sizeof remainder), data, end - data);
}

#endif

}  // namespace

uint32_t Crc32(uint32_t crc, const uint8_t* data, size_t size) {
#ifdef HAS_CARRYLESS_MULTIPLICATION
  if (__builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) return FoldedCrc32(crc, data, size);
#endif
  return ZlibCrc32(crc, data, size);
}
