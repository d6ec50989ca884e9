#pragma once
/// The machine surface of the integer products on AVX2: panels of 8 rows of weights, one row a lane.
/// Everything is in an anonymous namespace: these functions must not be merged with those of other files.

#include <immintrin.h>

#include "kernels/cpu/quantized_row.h"
#include "kernels/ops.h"

namespace gossamer::kernels::avx2 {
namespace {

constexpr uint32_t kPanelLanes = 8;

using IntVec = __m256i;

inline IntVec int_load(const std::byte* p) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
}
inline void int_store(std::byte* p, IntVec v) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(p), v);
}
/// The 4 bytes at p in every lane.
inline IntVec broadcast4(const int8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return _mm256_set1_epi32(word);
}

/// Four vectors of unsigned codes of MXFP4 times 16 inputs of 8 bits. vpmaddubsw adds up pairs in 16 bits; 4 of its
/// results are at most 4 * 2 * 24 * 127 = 24,384, so they fit there too.
inline IntVec product_of_four(const IntVec* codes, const int8_t* x) {
  const IntVec a = _mm256_add_epi16(_mm256_maddubs_epi16(codes[0], broadcast4(x)),
                                    _mm256_maddubs_epi16(codes[1], broadcast4(x + 4)));
  const IntVec b = _mm256_add_epi16(_mm256_maddubs_epi16(codes[2], broadcast4(x + 8)),
                                    _mm256_maddubs_epi16(codes[3], broadcast4(x + 12)));
  return _mm256_madd_epi16(_mm256_add_epi16(a, b), _mm256_set1_epi16(1));
}

/// The sum of one block: codes of 8 rows times 32 inputs of 15 bits, in halves.
struct HalvesProduct {
  static constexpr uint32_t kCodes = 4;       // vectors that add() takes at a time
  static constexpr uint32_t kTileInputs = 2;  // that meet a panel at once: 4 + 2 sums of 16 registers
  static constexpr float kUnit = 1;           // what value() is to be multiplied with
  IntVec high = _mm256_setzero_si256(), low;

  void start(const QuantizedRow& x, uint32_t block) { low = _mm256_set1_epi32(x.offsets[block]); }
  /// Vectors v .. v + 3 of the block's unsigned codes; x: the block's halves.
  void add(const IntVec* codes, uint32_t v, const int8_t* x) {
    high = _mm256_add_epi32(high, product_of_four(codes + v, x + 4 * v));
    low = _mm256_add_epi32(low, product_of_four(codes + v, x + 32 + 4 * v));
  }
  __m256 value() const { return _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_slli_epi32(high, 7), low)); }
};

/// The same with inputs of 8 bits: the high halves.
struct HighProduct {
  static constexpr uint32_t kCodes = 4, kTileInputs = 3;
  static constexpr float kUnit = 128;
  IntVec sum;

  void start(const QuantizedRow& x, uint32_t block) { sum = _mm256_set1_epi32(x.high_offsets[block]); }
  void add(const IntVec* codes, uint32_t v, const int8_t* x) {
    sum = _mm256_add_epi32(sum, product_of_four(codes + v, x + 4 * v));
  }
  __m256 value() const { return _mm256_cvtepi32_ps(sum); }
};

/// With bytes of weights, whose pairs would not fit 16 bits: both sides become numbers of 16 bits, even and odd
/// elements apart. Inputs of 8 bits would cost the same.
struct Q8Product {
  static constexpr uint32_t kCodes = 1, kTileInputs = 2;
  static constexpr float kUnit = 1;
  IntVec sum;

  void start(const QuantizedRow& x, uint32_t block) { sum = _mm256_set1_epi32(x.offsets[block]); }
  /// Vector v of the block's signed codes; x: the block's numbers, elements 0, 2, 1, 3 of each 4.
  void add(const IntVec* codes, uint32_t v, const int8_t* x) {
    const IntVec even = _mm256_srai_epi16(_mm256_slli_epi16(codes[v], 8), 8), odd = _mm256_srai_epi16(codes[v], 8);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(even, broadcast4(x + 8 * v)));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(odd, broadcast4(x + 8 * v + 4)));
  }
  __m256 value() const { return _mm256_cvtepi32_ps(sum); }
};
using Q8HighProduct = Q8Product;

constexpr InputOrder even_and_odd_order() {
  InputOrder order = q8_order(0);
  order.whole = true;
  for (uint8_t i = 0; i < 32; i += 4) {
    order.element[i + 1] = static_cast<uint8_t>(i + 2);
    order.element[i + 2] = static_cast<uint8_t>(i + 1);
  }
  return order;
}
constexpr InputOrder kQ8Order = even_and_odd_order();

/// Signed bytes as the product wants them.
inline IntVec q8_codes(IntVec codes) {
  return codes;
}

/// From 16 bytes of each of 8 rows, the 4 bytes number g of each, one row a lane: out[g].
inline void transpose(const std::byte* const* rows, uint64_t offset, IntVec out[4]) {
  const auto at = [&](uint32_t row) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[row] + offset)); };
  __m256i half[4];  // [i] lower lane: row i, upper lane: row 4 + i
  for (uint32_t i = 0; i < 4; ++i) half[i] = _mm256_set_m128i(at(4 + i), at(i));
  const __m256i a = _mm256_unpacklo_epi32(half[0], half[1]), b = _mm256_unpackhi_epi32(half[0], half[1]);
  const __m256i c = _mm256_unpacklo_epi32(half[2], half[3]), d = _mm256_unpackhi_epi32(half[2], half[3]);
  out[0] = _mm256_unpacklo_epi64(a, c);
  out[1] = _mm256_unpackhi_epi64(a, c);
  out[2] = _mm256_unpacklo_epi64(b, d);
  out[3] = _mm256_unpackhi_epi64(b, d);
}

/// Low nibbles, then high ones, of each vector, as E2M1 values in halves plus 12, so that they are unsigned.
inline void unpack_fp4(const IntVec nibbles[4], IntVec codes[8]) {
  const IntVec values =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
  const IntVec nibble = _mm256_set1_epi8(15);
  for (uint32_t g = 0; g < 4; ++g) {
    codes[2 * g] = _mm256_shuffle_epi8(values, _mm256_and_si256(nibbles[g], nibble));
    codes[2 * g + 1] = _mm256_shuffle_epi8(values, _mm256_and_si256(_mm256_srli_epi16(nibbles[g], 4), nibble));
  }
}

/// 8 E8M0 bytes as floats. Byte 0 (2^-127, no normal number) counts as 0, byte 255 as infinity.
inline __m256 e8m0_scales(const uint8_t* bytes) {
  const __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 23));
}

/// 8 halves as floats.
inline __m256 f16_scales(const std::byte* halves) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
}

/// Scales of 8 blocks at once: nothing faster here than one by one. False: not done.
inline bool gather_ggml_scales(const std::byte* const* /*rows*/, uint64_t /*offset*/, float* /*out*/) {
  return false;
}
inline bool gather_split_scales(const std::byte* const* /*rows*/, uint64_t /*block*/, float* /*out*/) {
  return false;
}

/// Block number `block` of a row: 32 inputs at x. One that is infinite or no number makes the scale no number.
inline void quantize_block(const float* x, const InputOrder& order, const QuantizedRow& out, uint32_t block) {
  __m256 part[4], most = _mm256_setzero_ps(), unordered = _mm256_setzero_ps();
  for (uint32_t i = 0; i < 4; ++i) {
    part[i] = _mm256_loadu_ps(x + 8 * i);
    most = _mm256_max_ps(most, _mm256_andnot_ps(_mm256_set1_ps(-0.f), part[i]));
    unordered = _mm256_or_ps(unordered, _mm256_cmp_ps(part[i], part[i], _CMP_UNORD_Q));
  }
  float lanes[8], largest = 0;
  _mm256_storeu_ps(lanes, most);
  for (float lane : lanes) largest = lane > largest ? lane : largest;
  const bool finite = largest <= __FLT_MAX__ && _mm256_movemask_ps(unordered) == 0;
  const bool zeros = !finite || largest < kQuantizedMin;
  out.scales[block] = !finite ? __builtin_nanf("")
                      : zeros ? 0.f
                              : largest * (order.unit / static_cast<float>(kQuantizedMax));
  alignas(32) int32_t numbers[32] = {};
  if (!zeros) {
    const __m256 factor = _mm256_set1_ps(static_cast<float>(kQuantizedMax) / largest);
    for (uint32_t i = 0; i < 4; ++i)
      _mm256_store_si256(reinterpret_cast<__m256i*>(numbers + 8 * i),
                         _mm256_cvtps_epi32(_mm256_mul_ps(part[i], factor)));
  }
  int8_t* halves = out.halves + uint64_t{block} * 64;
  int32_t sum = 0, sum_of_high = 0;
  for (uint32_t i = 0; i < 32; ++i) {
    const int32_t number = numbers[order.element[i]], high = (number + 64) >> 7;
    sum += number;
    sum_of_high += high;
    if (order.whole) {
      const auto word = static_cast<int16_t>(number);
      __builtin_memcpy(halves + 2 * i, &word, sizeof word);
    } else {
      halves[i] = static_cast<int8_t>(high);
      halves[32 + i] = static_cast<int8_t>(number - 128 * high);
    }
  }
  out.offsets[block] = -order.zero_point * sum;
  out.high_offsets[block] = -order.zero_point * sum_of_high;
}

}  // namespace
}  // namespace gossamer::kernels::avx2
