#pragma once
/// The machine surface of the integer products on AVX-512 with VNNI: panels of 16 rows of weights, one row a lane.
/// Everything is in an anonymous namespace: these functions must not be merged with those of other files.

#include <immintrin.h>

#include "kernels/cpu/quantized_row.h"
#include "kernels/ops.h"

namespace gossamer::kernels::avx512 {
namespace {

constexpr uint32_t kPanelLanes = 16;
constexpr uint32_t kBlockCodes = 8;  // vectors of unpacked codes in a block: 4 elements a lane each

using IntVec = __m512i;

inline IntVec int_zero() {
  return _mm512_setzero_si512();
}
inline IntVec int_set1(int32_t x) {
  return _mm512_set1_epi32(x);
}
/// sum + the 4 products of each lane's unsigned codes with the 4 signed bytes at x.
inline IntVec dot4(IntVec sum, IntVec codes, const int8_t* x) {
  int32_t four;
  __builtin_memcpy(&four, x, sizeof four);
  return _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(four));
}
/// 128 * high + low, as floats.
inline __m512 join_halves(IntVec high, IntVec low) {
  return _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high, 7), low));
}

/// From 16 bytes of each of 16 rows, the 4 bytes number g of each, one row a lane: out[g]. Masked broadcasts join rows
/// without the shuffle unit, which the 8 unpacks keep busy.
inline void transpose(const std::byte* const* rows, uint64_t offset, IntVec out[4]) {
  __m512i quarter[4];  // [i] lane of 128 bits q: row 4 q + i
  for (uint32_t i = 0; i < 4; ++i) {
    const auto at = [&](uint32_t row) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[row] + offset)); };
    __m512i joined = _mm512_castsi128_si512(at(i));
    joined = _mm512_mask_broadcast_i32x4(joined, 0x00f0, at(4 + i));
    joined = _mm512_mask_broadcast_i32x4(joined, 0x0f00, at(8 + i));
    quarter[i] = _mm512_mask_broadcast_i32x4(joined, 0xf000, at(12 + i));
  }
  const __m512i a = _mm512_unpacklo_epi32(quarter[0], quarter[1]), b = _mm512_unpackhi_epi32(quarter[0], quarter[1]);
  const __m512i c = _mm512_unpacklo_epi32(quarter[2], quarter[3]), d = _mm512_unpackhi_epi32(quarter[2], quarter[3]);
  out[0] = _mm512_unpacklo_epi64(a, c);
  out[1] = _mm512_unpackhi_epi64(a, c);
  out[2] = _mm512_unpacklo_epi64(b, d);
  out[3] = _mm512_unpackhi_epi64(b, d);
}

/// E2M1 values in halves, plus 12, so that they are unsigned; four times over, because vpermb looks at six bits.
inline IntVec fp4_codes() {
  return _mm512_broadcast_i32x4(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
}

/// 16 E8M0 bytes as floats. Byte 0 (2^-127, no normal number) counts as 0, byte 255 as infinity.
inline __m512 e8m0_scales(const uint8_t* bytes) {
  const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 23));
}

/// Low nibbles, then high ones, of each vector.
inline void unpack_fp4(const IntVec nibbles[4], IntVec codes[kBlockCodes]) {
  const IntVec values = fp4_codes();
  for (uint32_t g = 0; g < 4; ++g) {
    codes[2 * g] = _mm512_permutexvar_epi8(nibbles[g], values);
    codes[2 * g + 1] = _mm512_permutexvar_epi8(_mm512_srli_epi16(nibbles[g], 4), values);
  }
}

/// 16 halves as floats.
inline __m512 f16_scales(const std::byte* halves) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves)));
}

/// How the codes of a format are to be met by inputs.
struct InputOrder {
  uint8_t element[32];  // which element of the block comes at this place
  int32_t zero_point;   // what the codes have too much
  float unit;           // what a code of 1 is worth
};

constexpr InputOrder ggml_order() {
  InputOrder order{{}, 12, 0.5f};
  for (uint8_t i = 0; i < 32; ++i) order.element[i] = static_cast<uint8_t>(i / 8 * 4 + i % 4 + (i / 4 % 2) * 16);
  return order;
}
constexpr InputOrder split_order() {
  InputOrder order{{}, 12, 0.5f};
  for (uint8_t i = 0; i < 32; ++i) order.element[i] = static_cast<uint8_t>(i / 8 * 8 + i % 4 * 2 + i / 4 % 2);
  return order;
}
constexpr InputOrder q8_order() {
  InputOrder order{{}, 128, 1.f};
  for (uint8_t i = 0; i < 32; ++i) order.element[i] = i;
  return order;
}
constexpr InputOrder kGgmlOrder = ggml_order(), kSplitOrder = split_order(), kQ8Order = q8_order();

inline const InputOrder& input_order(const WeightRows& w) {
  if (w.dtype == Dtype::kQ8_0) return kQ8Order;
  return w.layout == Mxfp4Layout::kGgml ? kGgmlOrder : kSplitOrder;
}

/// One block of 32 inputs. One that is infinite or no number makes the scale no number.
inline void quantize_block(const float* x, const InputOrder& order, int8_t* halves, float* scale, int32_t* offset) {
  const __m512 first = _mm512_loadu_ps(x), second = _mm512_loadu_ps(x + 16);
  const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(first), _mm512_abs_ps(second)));
  const bool finite = largest <= __FLT_MAX__ && _mm512_cmp_ps_mask(first, second, _CMP_UNORD_Q) == 0;
  const bool zeros = !finite || largest < kQuantizedMin;
  const __m512 factor = _mm512_set1_ps(static_cast<float>(kQuantizedMax) / largest);
  *scale = !finite ? __builtin_nanf("") : zeros ? 0.f : largest * (order.unit / static_cast<float>(kQuantizedMax));
  const __mmask16 kept = zeros ? 0 : 0xffff;
  const __m512i a = _mm512_maskz_cvtps_epi32(kept, _mm512_mul_ps(first, factor));
  const __m512i b = _mm512_maskz_cvtps_epi32(kept, _mm512_mul_ps(second, factor));
  *offset = -order.zero_point * _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
  const auto high = [](__m512i q) { return _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(64)), 7); };
  const __m512i high_a = high(a), high_b = high(b);
  const auto bytes = [](__m512i p, __m512i q) {
    return _mm256_set_m128i(_mm512_cvtepi32_epi8(q), _mm512_cvtepi32_epi8(p));
  };
  const __m256i place = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(order.element));
  const __m256i highs = bytes(high_a, high_b);
  const __m256i lows =
      bytes(_mm512_sub_epi32(a, _mm512_slli_epi32(high_a, 7)), _mm512_sub_epi32(b, _mm512_slli_epi32(high_b, 7)));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(halves), _mm256_permutexvar_epi8(place, highs));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(halves + 32), _mm256_permutexvar_epi8(place, lows));
}

}  // namespace
}  // namespace gossamer::kernels::avx512
