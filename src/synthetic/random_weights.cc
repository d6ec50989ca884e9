#include "synthetic/random_weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace gossamer::synthetic {
namespace {

static_assert(std::endian::native == std::endian::little, "model files are little endian");

// A row of words serves one block after another.
constexpr uint64_t kDenseWords = 5;  // 32 numbers, then the scale
constexpr uint64_t kMxfp4Words = 3;  // 32 codes, then the scale

// The mean square of what is drawn where the smaller scale is 1: that of the numbers or codes, times (1 + 4) / 2 for
// the two scales.
constexpr uint64_t kDenseMeanSquare = 13651;  // 5460.5 of the 255 numbers
constexpr uint64_t kMxfp4MeanSquare = 21;     // 8.5625 of the 16 codes

/// The k for which rows of `fan_in` numbers, the smaller scale being 2^k, have a length near 1 (0.7 to 1.4). In whole
/// numbers, so that every machine finds the same.
int scale_exponent(uint64_t fan_in, uint64_t mean_square) {
  return -static_cast<int>(std::bit_width(fan_in * mean_square) / 2);
}

/// One byte of a word as a number from -127 to 127.
int8_t small_number(uint64_t word) {
  return std::max<int8_t>(static_cast<int8_t>(word), -127);
}

/// Stores the 16 bytes of two words.
void store(uint64_t first, uint64_t second, std::byte* out) {
  std::memcpy(out, &first, sizeof first);
  std::memcpy(out + sizeof first, &second, sizeof second);
}

struct DenseBlock {
  std::array<int8_t, kBlockElements> numbers;
  int exponent;  // of the scale
};

DenseBlock dense_block(const RandomWords& words, uint64_t block, int low_exponent) {
  DenseBlock made;
  std::array<uint64_t, kDenseWords - 1> drawn;
  for (uint64_t i = 0; i < drawn.size(); ++i) drawn[i] = words.at(block * kDenseWords + i);
  std::memcpy(made.numbers.data(), drawn.data(), sizeof drawn);
  for (int8_t& number : made.numbers) number = std::max<int8_t>(number, -127);
  made.exponent = low_exponent + static_cast<int>(words.at(block * kDenseWords + drawn.size()) & 1);
  return made;
}

float power_of_two(int exponent) {
  return std::bit_cast<float>(static_cast<uint32_t>(exponent + 127) << 23);
}
uint16_t power_of_two_f16(int exponent) {
  return static_cast<uint16_t>((exponent + 15) << 10);
}

void write_q8_0(const DenseBlock& block, std::byte* out) {
  const uint16_t scale = power_of_two_f16(block.exponent);
  std::memcpy(out, &scale, sizeof scale);
  std::memcpy(out + sizeof scale, block.numbers.data(), block.numbers.size());
}

void write_bf16(const DenseBlock& block, std::byte* out) {
  const float scale = power_of_two(block.exponent);
  std::array<uint16_t, kBlockElements> values;
  for (uint32_t i = 0; i < kBlockElements; ++i)  // nothing is cut off: seven bits
    values[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(block.numbers[i]) * scale) >> 16);
  std::memcpy(out, values.data(), sizeof values);
}

void write_f32(const DenseBlock& block, std::byte* out) {
  const float scale = power_of_two(block.exponent);
  std::array<float, kBlockElements> values;
  for (uint32_t i = 0; i < kBlockElements; ++i) values[i] = static_cast<float>(block.numbers[i]) * scale;
  std::memcpy(out, values.data(), sizeof values);
}

/// The low nibbles of a word's eight bytes, side by side.
uint32_t gather_low_nibbles(uint64_t word) {
  word &= 0x0f0f0f0f0f0f0f0fu;
  word = (word | word >> 4) & 0x00ff00ff00ff00ffu;
  word = (word | word >> 8) & 0x0000ffff0000ffffu;
  return static_cast<uint32_t>(word | word >> 16);
}

/// Two 32-bit halves as one word.
uint64_t join(uint32_t low, uint32_t high) {
  return static_cast<uint64_t>(high) << 32 | low;
}

}  // namespace

RandomMatrix::RandomMatrix(uint64_t seed, std::string_view name, uint64_t cols, uint64_t fan_in)
    : words_(seed, name),
      blocks_per_row_(cols / kBlockElements),
      low_exponent_(scale_exponent(fan_in, kDenseMeanSquare)) {
  constexpr int kLowestOfF16 = -14;
  GOS_CHECK(cols % kBlockElements == 0 && low_exponent_ >= kLowestOfF16);
}

void RandomMatrix::write_row(Dtype dtype, uint64_t row, std::byte* out) const {
  GOS_DCHECK(dtype == Dtype::kQ8_0 || dtype == Dtype::kBf16 || dtype == Dtype::kF32);
  const auto write = dtype == Dtype::kQ8_0 ? write_q8_0 : dtype == Dtype::kBf16 ? write_bf16 : write_f32;
  const uint64_t block_bytes = row_bytes(dtype, kBlockElements);
  for (uint64_t i = 0; i < blocks_per_row_; ++i)
    write(dense_block(words_, row * blocks_per_row_ + i, low_exponent_), out + i * block_bytes);
}

RandomExperts::RandomExperts(uint64_t seed, std::string_view name, uint64_t cols)
    : words_(seed, name),
      blocks_per_row_(cols / kBlockElements),
      low_scale_(static_cast<uint8_t>(127 + scale_exponent(cols, kMxfp4MeanSquare))) {
  GOS_CHECK(cols % kBlockElements == 0);
}

uint8_t RandomExperts::scale_of(uint64_t block) const {
  return static_cast<uint8_t>(low_scale_ + (words_.at(block * kMxfp4Words + 2) & 1));
}

/// Byte j of the two words is byte j of ggml's block: elements j and j + 16.
void RandomExperts::write_ggml_row(uint64_t row, std::byte* out) const {
  for (uint64_t i = 0; i < blocks_per_row_; ++i, out += kMxfp4GgmlBlockBytes) {
    const uint64_t block = row * blocks_per_row_ + i;
    out[0] = std::byte{scale_of(block)};
    store(words_.at(block * kMxfp4Words), words_.at(block * kMxfp4Words + 1), out + 1);
  }
}

/// The same elements, of which byte j now holds 2j and 2j + 1.
void RandomExperts::write_codes_row(uint64_t row, std::byte* out) const {
  for (uint64_t i = 0; i < blocks_per_row_; ++i, out += kMxfp4SplitBlockBytes) {
    const uint64_t block = row * blocks_per_row_ + i;
    const uint64_t first = words_.at(block * kMxfp4Words), second = words_.at(block * kMxfp4Words + 1);
    store(join(gather_low_nibbles(first), gather_low_nibbles(second)),
          join(gather_low_nibbles(first >> 4), gather_low_nibbles(second >> 4)), out);
  }
}

void RandomExperts::write_scales_row(uint64_t row, std::byte* out) const {
  for (uint64_t i = 0; i < blocks_per_row_; ++i) out[i] = std::byte{scale_of(row * blocks_per_row_ + i)};
}

void RandomVector::write(Dtype dtype, uint64_t index, std::byte* out) const {
  GOS_DCHECK(dtype == Dtype::kBf16 || dtype == Dtype::kF32);
  const float number = small_number(words_.at(index));
  const float value = kind_ == VectorKind::kNorm   ? 1.f + number * 0x1p-10f
                      : kind_ == VectorKind::kBias ? number * 0x1p-10f
                                                   : number * 0x1p-6f;
  const uint16_t half = f32_to_bf16(value);
  const float rounded = bf16_to_f32(half);
  if (dtype == Dtype::kBf16)
    std::memcpy(out, &half, sizeof half);
  else
    std::memcpy(out, &rounded, sizeof rounded);
}

}  // namespace gossamer::synthetic
