#pragma once
/// The machine surface of the integer products on AVX-512 with VNNI: panels of 16 rows of weights, one row a lane.
/// Everything is in an anonymous namespace: these functions must not be merged with those of other files.

#include <immintrin.h>

#include "kernels/cpu/quantized_row.h"
#include "kernels/ops.h"

namespace gossamer::kernels::avx512 {
namespace {

constexpr uint32_t kPanelLanes = 16;

using IntVec = __m512i;

inline IntVec int_zero() {
  return _mm512_setzero_si512();
}
inline IntVec int_set1(int32_t x) {
  return _mm512_set1_epi32(x);
}
inline IntVec int_load(const std::byte* p) {
  return _mm512_load_si512(p);
}
inline void int_store(std::byte* p, IntVec v) {
  _mm512_store_si512(p, v);
}

/// The 4 bytes at p in every lane.
inline IntVec broadcast4(const int8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return int_set1(word);
}

/// The sum of one block: codes of 16 rows times 32 inputs of 15 bits, in halves.
struct HalvesProduct {
  static constexpr uint32_t kCodes = 1;       // vectors that add() takes at a time
  static constexpr uint32_t kTileInputs = 6;  // that meet a panel at once: 12 + 6 sums, and 8 vectors of weights
  static constexpr float kUnit = 1;           // what value() is to be multiplied with
  IntVec high = int_zero(), low;

  void start(const QuantizedRow& x, uint32_t block) { low = int_set1(x.offsets[block]); }
  /// Vector number v of the block's unsigned codes; x: the block's halves.
  void add(const IntVec* codes, uint32_t v, const int8_t* x) {
    high = _mm512_dpbusd_epi32(high, codes[v], broadcast4(x + 4 * v));
    low = _mm512_dpbusd_epi32(low, codes[v], broadcast4(x + 32 + 4 * v));
  }
  __m512 value() const { return _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high, 7), low)); }
};
using Q8Product = HalvesProduct;

/// The same with inputs of 8 bits: the high halves.
struct HighProduct {
  static constexpr uint32_t kCodes = 1, kTileInputs = 10;
  static constexpr float kUnit = 128;
  IntVec sum;

  void start(const QuantizedRow& x, uint32_t block) { sum = int_set1(x.high_offsets[block]); }
  void add(const IntVec* codes, uint32_t v, const int8_t* x) {
    sum = _mm512_dpbusd_epi32(sum, codes[v], broadcast4(x + 4 * v));
  }
  __m512 value() const { return _mm512_cvtepi32_ps(sum); }
};
using Q8HighProduct = HighProduct;
constexpr InputOrder kQ8Order = q8_order(128);

/// Signed bytes as the product wants them: unsigned, 128 more.
inline IntVec q8_codes(IntVec codes) {
  return _mm512_xor_si512(codes, _mm512_set1_epi8(static_cast<char>(0x80)));
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
inline void unpack_fp4(const IntVec nibbles[4], IntVec codes[8]) {
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

/// Scale bytes of 8 blocks of 16 rows, 8 bytes a row (rows 0 .. 7, then the others), as floats: [block][row].
inline void spread_scales(__m512i rows_0_7, __m512i rows_8_15, float* out) {
  static constexpr auto kPlaces = [] {
    struct Places {
      uint8_t byte[2][64];
    } places{};
    for (uint8_t b = 0; b < 8; ++b)
      for (uint8_t r = 0; r < 16; ++r) places.byte[b / 4][b % 4 * 16 + r] = static_cast<uint8_t>(r * 8 + b);
    return places;
  }();
  for (uint32_t half = 0; half < 2; ++half) {
    const __m512i bytes = _mm512_permutex2var_epi8(rows_0_7, _mm512_loadu_si512(kPlaces.byte[half]), rows_8_15);
    const auto put = [&](uint32_t b, __m128i of_block) {
      const __m512i wide = _mm512_slli_epi32(_mm512_cvtepu8_epi32(of_block), 23);
      _mm512_store_ps(out + (half * 4 + b) * kPanelLanes, _mm512_castsi512_ps(wide));
    };
    put(0, _mm512_castsi512_si128(bytes));
    put(1, _mm512_extracti32x4_epi32(bytes, 1));
    put(2, _mm512_extracti32x4_epi32(bytes, 2));
    put(3, _mm512_extracti32x4_epi32(bytes, 3));
  }
}

/// Scales of 8 blocks of 17 bytes: they lie in 120 bytes, one permutation a row. True: done.
inline bool gather_ggml_scales(const std::byte* const* rows, uint64_t offset, float* out) {
  static constexpr auto kPlaces = [] {
    struct Places {
      uint8_t byte[64];
    } places{};
    for (uint8_t i = 0; i < 64; ++i) places.byte[i] = static_cast<uint8_t>(i % 8 * kMxfp4GgmlBlockBytes);
    return places;
  }();
  const __m512i places = _mm512_loadu_si512(kPlaces.byte);
  __m512i of_rows[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  for (uint32_t r = 0; r < kPanelLanes; ++r) {
    const std::byte* at = rows[r] + offset;
    const __m512i picked = _mm512_permutex2var_epi8(_mm512_loadu_si512(at), places, _mm512_loadu_si512(at + 64));
    of_rows[r / 8] = _mm512_mask_mov_epi64(of_rows[r / 8], static_cast<__mmask8>(1u << r % 8), picked);
  }
  spread_scales(of_rows[0], of_rows[1], out);
  return true;
}

/// Scales of 8 blocks that lie side by side.
inline bool gather_split_scales(const std::byte* const* rows, uint64_t block, float* out) {
  __m512i of_rows[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  for (uint32_t r = 0; r < kPanelLanes; ++r) {
    int64_t eight;
    __builtin_memcpy(&eight, rows[r] + block, sizeof eight);
    of_rows[r / 8] = _mm512_mask_set1_epi64(of_rows[r / 8], static_cast<__mmask8>(1u << r % 8), eight);
  }
  spread_scales(of_rows[0], of_rows[1], out);
  return true;
}

/// Block number `block` of a row: 32 inputs at x. One that is infinite or no number makes the scale no number.
inline void quantize_block(const float* x, const InputOrder& order, const QuantizedRow& out, uint32_t block) {
  const __m512 first = _mm512_loadu_ps(x), second = _mm512_loadu_ps(x + 16);
  const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(first), _mm512_abs_ps(second)));
  const bool finite = largest <= __FLT_MAX__ && _mm512_cmp_ps_mask(first, second, _CMP_UNORD_Q) == 0;
  const bool zeros = !finite || largest < kQuantizedMin;
  const __m512 factor = _mm512_set1_ps(static_cast<float>(kQuantizedMax) / largest);
  out.scales[block] = !finite ? __builtin_nanf("")
                      : zeros ? 0.f
                              : largest * (order.unit / static_cast<float>(kQuantizedMax));
  const __mmask16 kept = zeros ? 0 : 0xffff;
  const __m512i a = _mm512_maskz_cvtps_epi32(kept, _mm512_mul_ps(first, factor));
  const __m512i b = _mm512_maskz_cvtps_epi32(kept, _mm512_mul_ps(second, factor));
  out.offsets[block] = -order.zero_point * _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
  const auto high = [](__m512i q) { return _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(64)), 7); };
  const __m512i high_a = high(a), high_b = high(b);
  out.high_offsets[block] = -order.zero_point * _mm512_reduce_add_epi32(_mm512_add_epi32(high_a, high_b));
  const auto bytes = [](__m512i p, __m512i q) {
    return _mm256_set_m128i(_mm512_cvtepi32_epi8(q), _mm512_cvtepi32_epi8(p));
  };
  const __m256i place = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(order.element));
  const __m256i highs = bytes(high_a, high_b);
  const __m256i lows =
      bytes(_mm512_sub_epi32(a, _mm512_slli_epi32(high_a, 7)), _mm512_sub_epi32(b, _mm512_slli_epi32(high_b, 7)));
  int8_t* halves = out.halves + uint64_t{block} * 64;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(halves), _mm256_permutexvar_epi8(place, highs));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(halves + 32), _mm256_permutexvar_epi8(place, lows));
}

}  // namespace
}  // namespace gossamer::kernels::avx512
