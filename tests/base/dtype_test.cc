#include "base/dtype.h"

#include <gtest/gtest.h>

namespace gossamer {
namespace {

TEST(Dtype, EveryHalfRoundsTripsThroughTheDefinition) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31), mantissa = static_cast<int>(bits & 1023);
    const double magnitude = exponent == 31 ? (mantissa ? NAN : INFINITY)
                             : exponent     ? std::ldexp(1024 + mantissa, exponent - 25)
                                            : std::ldexp(mantissa, -24);
    const float got = f16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(magnitude)) {
      EXPECT_TRUE(std::isnan(got));
    } else {
      EXPECT_EQ(got, static_cast<float>(bits & 0x8000 ? -magnitude : magnitude)) << bits;
    }
  }
}

TEST(Dtype, F16RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
      continue;
    }
    EXPECT_EQ(f32_to_f16(value), half);
    if ((bits & 0x7fff) >= 0x7bff) continue;
    // Between it and its neighbour away from zero: the middle goes to the even one, a float beside it to the nearer
    // one.
    const float next = f16_to_f32(static_cast<uint16_t>(bits + 1)), middle = value + (next - value) / 2;
    EXPECT_EQ(f32_to_f16(middle), bits + (bits & 1)) << bits;
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, value)), half) << bits;
    EXPECT_EQ(f32_to_f16(std::nextafter(middle, next)), bits + 1) << bits;
  }
  EXPECT_EQ(f32_to_f16(65520.f), 0x7c00);
  EXPECT_EQ(f32_to_f16(std::nextafter(65520.f, 0.f)), 0x7bff);
  EXPECT_EQ(f32_to_f16(-1e30f), 0xfc00);
}

TEST(Dtype, Bf16RoundsToNearestEven) {
  EXPECT_EQ(f32_to_bf16(1.0f), 0x3f80);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808000u)), 0x3f80);  // a tie, even below
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f818000u)), 0x3f82);  // a tie, even above
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(NAN))));
  for (uint32_t bits = 0; bits < 0x7f80; ++bits) EXPECT_EQ(f32_to_bf16(bf16_to_f32(static_cast<uint16_t>(bits))), bits);
}

TEST(Dtype, ScaleBytesArePowersOfTwo) {
  for (int byte = 0; byte < 255; ++byte)
    EXPECT_EQ(e8m0_to_f32(static_cast<uint8_t>(byte)), std::ldexp(1.0f, byte - 127)) << byte;
  EXPECT_TRUE(std::isnan(e8m0_to_f32(255)));
}

}  // namespace
}  // namespace gossamer
