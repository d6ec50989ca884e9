#pragma once
/// The machine surface of AVX2 + FMA + F16C: 8 floats a vector, and 32 weights of each stored format as four vectors.
/// Everything is in an anonymous namespace: these functions must not be merged with those of other files.

#include <immintrin.h>

#include "kernels/ops.h"

namespace gossamer::kernels::avx2 {
namespace {

constexpr uint32_t kLanes = 8;
constexpr uint32_t kBlockVectors = 32 / kLanes;
constexpr uint32_t kDirectRows = 8;      // rows that stream at once: 8 chains hide an FMA latency of 4 at two a cycle
constexpr uint32_t kDirectTileRows = 1;  // with up to 4 inputs: 4 sums, 4 vectors of weights; more rows do not fit
constexpr uint32_t kTileRows = 4;        // register tile of the panel product: 8 sums, 4 + 2 operands of 16 registers
constexpr uint32_t kTileInputs = 2;
constexpr uint32_t kFloatScoreHeads = 2;  // of attention: 8 sums for 32 positions, 4 vectors of keys
constexpr uint32_t kFloatMixHeads = 1;    // the 8 sums of one 64-wide head and 4 of its values

using Vec = __m256;

inline Vec load(const float* p) {
  return _mm256_loadu_ps(p);
}
inline void store(float* p, Vec v) {
  _mm256_storeu_ps(p, v);
}
inline Vec set1(float x) {
  return _mm256_set1_ps(x);
}
inline Vec zero() {
  return _mm256_setzero_ps();
}
inline Vec add(Vec a, Vec b) {
  return _mm256_add_ps(a, b);
}
inline Vec sub(Vec a, Vec b) {
  return _mm256_sub_ps(a, b);
}
inline Vec mul(Vec a, Vec b) {
  return _mm256_mul_ps(a, b);
}
inline Vec div(Vec a, Vec b) {
  return _mm256_div_ps(a, b);
}
inline Vec fma(Vec a, Vec b, Vec c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline Vec min(Vec a, Vec b) {
  return _mm256_min_ps(a, b);
}
inline Vec max(Vec a, Vec b) {
  return _mm256_max_ps(a, b);
}
inline Vec round(Vec a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline float sum(Vec v) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
/// a * 2^n for whole n in [-126, 127].
inline Vec scale_by_power(Vec a, Vec n) {
  const __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return mul(a, _mm256_castsi256_ps(exponent));
}

/// The first n lanes (n < kLanes); the others are 0 and are not read or written.
inline __m256i first_lanes(uint32_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vec load_first(const float* p, uint32_t n) {
  return _mm256_maskload_ps(p, first_lanes(n));
}
inline void store_first(float* p, Vec v, uint32_t n) {
  _mm256_maskstore_ps(p, first_lanes(n), v);
}

struct Block {
  Vec v[kBlockVectors];
};

/// 16 int8 as two vectors of floats times `scale`, into v[0] and v[1].
inline void widen_int8(__m128i codes, Vec scale, Vec* v) {
  v[0] = mul(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes)), scale);
  v[1] = mul(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(codes, 8))), scale);
}

/// Twice the 16 E2M1 values as int8: vpermps of AVX2 has only 8 entries, a byte shuffle has 16. The scale is halved in
/// return.
inline __m128i fp4_values_doubled() {
  return _mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
}

inline Block mxfp4_ggml(const std::byte* block, const float* scale_table) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 1)), nibble = _mm_set1_epi8(15);
  const Vec scale = set1(0.5f * scale_table[static_cast<uint8_t>(block[0])]);
  Block out;
  widen_int8(_mm_shuffle_epi8(fp4_values_doubled(), _mm_and_si128(codes, nibble)), scale, out.v);
  widen_int8(_mm_shuffle_epi8(fp4_values_doubled(), _mm_and_si128(_mm_srli_epi16(codes, 4), nibble)), scale, out.v + 2);
  return out;
}

inline Block mxfp4_split(const std::byte* packed, uint8_t scale_byte, const float* scale_table) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(packed)), nibble = _mm_set1_epi8(15);
  const __m128i low = _mm_and_si128(codes, nibble), high = _mm_and_si128(_mm_srli_epi16(codes, 4), nibble);
  const Vec scale = set1(0.5f * scale_table[scale_byte]);
  Block out;
  widen_int8(_mm_shuffle_epi8(fp4_values_doubled(), _mm_unpacklo_epi8(low, high)), scale, out.v);
  widen_int8(_mm_shuffle_epi8(fp4_values_doubled(), _mm_unpackhi_epi8(low, high)), scale, out.v + 2);
  return out;
}

inline Block q8_0(const std::byte* block) {
  uint16_t half;
  __builtin_memcpy(&half, block, sizeof half);
  const Vec scale = set1(_cvtsh_ss(half));
  const auto* codes = reinterpret_cast<const __m128i*>(block + 2);
  Block out;
  widen_int8(_mm_loadu_si128(codes), scale, out.v);
  widen_int8(_mm_loadu_si128(codes + 1), scale, out.v + 2);
  return out;
}

inline Block int8(const std::byte* p) {
  Block out;
  for (uint32_t i = 0; i < kBlockVectors; ++i)
    out.v[i] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + i * 8))));
  return out;
}

inline Block bf16(const std::byte* p) {
  const auto* bits = reinterpret_cast<const __m128i*>(p);
  Block out;
  for (uint32_t i = 0; i < kBlockVectors; ++i)
    out.v[i] = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(bits + i)), 16));
  return out;
}

/// Of 32 pairs of bf16 the first of each, and the second.
inline Block bf16_first(const std::byte* p) {
  const auto* pairs = reinterpret_cast<const __m256i*>(p);
  Block out;
  for (uint32_t i = 0; i < kBlockVectors; ++i)
    out.v[i] = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(pairs + i), 16));
  return out;
}
inline Block bf16_second(const std::byte* p) {
  const auto* pairs = reinterpret_cast<const __m256i*>(p);
  const __m256i high_half = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
  Block out;
  for (uint32_t i = 0; i < kBlockVectors; ++i)
    out.v[i] = _mm256_castsi256_ps(_mm256_and_si256(_mm256_loadu_si256(pairs + i), high_half));
  return out;
}

inline Block f16(const std::byte* p) {
  const auto* bits = reinterpret_cast<const __m128i*>(p);
  Block out;
  for (uint32_t i = 0; i < kBlockVectors; ++i) out.v[i] = _mm256_cvtph_ps(_mm_loadu_si128(bits + i));
  return out;
}

inline Block f32(const std::byte* p) {
  const auto* values = reinterpret_cast<const float*>(p);
  Block out;
  for (uint32_t i = 0; i < kBlockVectors; ++i) out.v[i] = load(values + i * kLanes);
  return out;
}

}  // namespace
}  // namespace gossamer::kernels::avx2
