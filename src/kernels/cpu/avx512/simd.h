#pragma once
/// The machine surface of AVX-512: 16 floats a vector, and 32 weights of each stored format as two vectors.
/// Everything is in an anonymous namespace: these functions must not be merged with those of other files.

#include <immintrin.h>

#include "kernels/ops.h"

namespace gossamer::kernels::avx512 {
namespace {

constexpr uint32_t kLanes = 16;
constexpr uint32_t kBlockVectors = 32 / kLanes;
constexpr uint32_t kDirectRows =
    4;  // rows that stream at once: 4 chains of FMA hide its latency at two cycles an instruction
constexpr uint32_t kDirectTileRows = 4;  // with up to 4 inputs: 16 sums, 8 vectors of weights
constexpr uint32_t kTileRows = 4;        // register tile of the panel product: 16 sums, 4 + 4 operands
constexpr uint32_t kTileInputs = 4;
constexpr uint32_t kFloatScoreHeads = 8;  // of attention: 16 sums for 32 positions, 2 vectors of keys
constexpr uint32_t kFloatMixHeads = 4;    // 16 sums of a 64-wide head

using Vec = __m512;

inline Vec load(const float* p) {
  return _mm512_loadu_ps(p);
}
inline void store(float* p, Vec v) {
  _mm512_storeu_ps(p, v);
}
inline Vec set1(float x) {
  return _mm512_set1_ps(x);
}
inline Vec zero() {
  return _mm512_setzero_ps();
}
inline Vec add(Vec a, Vec b) {
  return _mm512_add_ps(a, b);
}
inline Vec sub(Vec a, Vec b) {
  return _mm512_sub_ps(a, b);
}
inline Vec mul(Vec a, Vec b) {
  return _mm512_mul_ps(a, b);
}
inline Vec div(Vec a, Vec b) {
  return _mm512_div_ps(a, b);
}
inline Vec fma(Vec a, Vec b, Vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline Vec min(Vec a, Vec b) {
  return _mm512_min_ps(a, b);
}
inline Vec max(Vec a, Vec b) {
  return _mm512_max_ps(a, b);
}
inline Vec round(Vec a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline float sum(Vec v) {
  return _mm512_reduce_add_ps(v);
}
/// a * 2^n for whole n in [-126, 127].
inline Vec scale_by_power(Vec a, Vec n) {
  return _mm512_scalef_ps(a, n);
}

/// The first n lanes (n < kLanes); the others are 0 and are not read or written.
inline Vec load_first(const float* p, uint32_t n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
}
inline void store_first(float* p, Vec v, uint32_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
}

struct Block {
  Vec v[kBlockVectors];
};

/// The 16 E2M1 values, indexed by the low four bits of each lane (vpermps ignores the others).
inline Vec fp4_values() {
  return _mm512_loadu_ps(kFp4Values);
}

inline Block mxfp4_ggml(const std::byte* block, const float* scale_table) {
  const __m512i low = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 1)));
  const Vec scale = set1(scale_table[static_cast<uint8_t>(block[0])]);
  const Vec values = fp4_values();
  return {{mul(_mm512_permutexvar_ps(low, values), scale),
           mul(_mm512_permutexvar_ps(_mm512_srli_epi32(low, 4), values), scale)}};
}

inline Block mxfp4_split(const std::byte* codes, uint8_t scale_byte, const float* scale_table) {
  const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  const __m128i high = _mm_srli_epi16(low, 4);  // the code of the high nibble in the low four bits of each byte
  const Vec scale = set1(scale_table[scale_byte]);
  const Vec values = fp4_values();
  return {{mul(_mm512_permutexvar_ps(_mm512_cvtepu8_epi32(_mm_unpacklo_epi8(low, high)), values), scale),
           mul(_mm512_permutexvar_ps(_mm512_cvtepu8_epi32(_mm_unpackhi_epi8(low, high)), values), scale)}};
}

inline Block q8_0(const std::byte* block) {
  uint16_t half;
  __builtin_memcpy(&half, block, sizeof half);
  const Vec scale = set1(_cvtsh_ss(half));
  const auto* codes = reinterpret_cast<const __m128i*>(block + 2);
  return {{mul(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(codes))), scale),
           mul(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(codes + 1))), scale)}};
}

inline Block int8(const std::byte* p) {
  const auto* codes = reinterpret_cast<const __m128i*>(p);
  return {{_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(codes))),
           _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(codes + 1)))}};
}

inline Block bf16(const std::byte* p) {
  const auto* bits = reinterpret_cast<const __m256i*>(p);
  const auto widen = [](__m256i b) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16)); };
  return {{widen(_mm256_loadu_si256(bits)), widen(_mm256_loadu_si256(bits + 1))}};
}

/// Of 32 pairs of bf16 the first of each, and the second.
inline Block bf16_first(const std::byte* p) {
  const auto widen = [](const std::byte* pairs) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(pairs), 16));
  };
  return {{widen(p), widen(p + 64)}};
}
inline Block bf16_second(const std::byte* p) {
  const __m512i high_half = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  const auto widen = [&](const std::byte* pairs) {
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(pairs), high_half));
  };
  return {{widen(p), widen(p + 64)}};
}

inline Block f16(const std::byte* p) {
  const auto* bits = reinterpret_cast<const __m256i*>(p);
  return {{_mm512_cvtph_ps(_mm256_loadu_si256(bits)), _mm512_cvtph_ps(_mm256_loadu_si256(bits + 1))}};
}

inline Block f32(const std::byte* p) {
  const auto* values = reinterpret_cast<const float*>(p);
  return {{load(values), load(values + kLanes)}};
}

}  // namespace
}  // namespace gossamer::kernels::avx512
