#pragma once
/// Inputs of the integer products.

#include <cstdint>

namespace gossamer::kernels {

/// A row of K activations as whole numbers of 15 bits, every 32 of them with a scale of their own:
/// x[k] = scale * (128 * high[k] + low[k]) to within scale / 2, where scale = max |x| of the 32 / 16319. Twenty times
/// finer than bfloat16, and small enough that 32 products with a weight of 8 bits sum up exactly in an int32.
/// The high halves alone are the row in 8 bits, x[k] = scale * 128 * high[k] to within scale * 64, at half the work.
struct QuantizedRow {
  int8_t* halves;         // [K / 32][64]: 32 high halves, then 32 low ones (or 32 whole numbers), ordered by InputOrder
  float* scales;          // [K / 32], times the unit of the weights' codes
  int32_t* offsets;       // [K / 32], what the zero point of the weights' codes adds to the sum, negated
  int32_t* high_offsets;  // [K / 32], the same for the high halves alone
};

inline constexpr int32_t kQuantizedMax = 127 * 128 + 63;
/// Blocks whose largest value is below this are zeros: their scale would not have a reciprocal.
inline constexpr float kQuantizedMin = 1e-30f;

/// Blocks of a row whose scales are unpacked, and which are asked for in the file, at a time.
inline constexpr uint32_t kSlabBlocks = 8;

inline constexpr uint64_t kQuantizedBlockBytes = 64 + sizeof(float) + 2 * sizeof(int32_t);

/// How inputs are to meet the codes of a format.
struct InputOrder {
  uint8_t element[32];  // which element of the block comes at this place
  int32_t zero_point;   // what the codes have too much
  float unit;           // what a code of 1 is worth
  bool whole = false;   // 32 numbers of 16 bits instead of 64 halves
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
constexpr InputOrder q8_order(int32_t zero_point) {
  InputOrder order{{}, zero_point, 1.f};
  for (uint8_t i = 0; i < 32; ++i) order.element[i] = i;
  return order;
}

/// The row number `row` of `memory`, which has kQuantizedBlockBytes for every 32 elements of every row.
inline QuantizedRow quantized_row_at(void* memory, uint64_t row, uint32_t cols) {
  const uint64_t blocks = cols / 32;
  auto* begin = static_cast<int8_t*>(memory) + row * blocks * kQuantizedBlockBytes;
  auto* scales = reinterpret_cast<float*>(begin + blocks * 64);
  auto* offsets = reinterpret_cast<int32_t*>(scales + blocks);
  return {begin, scales, offsets, offsets + blocks};
}

}  // namespace gossamer::kernels
