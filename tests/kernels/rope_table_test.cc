#include "kernels/rope_table.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/golden_file.h"

namespace gossamer::kernels {
namespace {

TEST(RopeTable, MatchesTheReferenceTables) {
  if (testing::oracle_folder().empty()) GTEST_SKIP() << "no oracle values beside this checkout";
  auto golden = testing::GoldenFile::open(testing::oracle_folder() + "/goldens/ops.safetensors");
  ASSERT_TRUE(golden.ok());
  const auto frequencies = yarn_inverse_frequencies({});
  const auto expected = golden->f32("rope/inv_freq");
  ASSERT_EQ(frequencies.size(), expected.size());
  // torch's power function is one ulp off the rounded value at two of the 32 pairs; ours is not.
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(frequencies[i], expected[i], 0x1p-23 * expected[i]) << i;
  RopeTable table({});
  table.reserve(131072);
  const auto positions = golden->i32("rope/positions");
  const auto cos = golden->f32("rope/cos"), sin = golden->f32("rope/sin");
  for (size_t p = 0; p < positions.size(); ++p)
    for (size_t i = 0; i < 32; ++i) {
      const double ulp_of_frequency = frequencies[i] == expected[i] ? 0 : 0x1p-23 * positions[p] * expected[i];
      const double tolerance = 1.35 * 2 * ulp_of_frequency + 2e-7;  // the angle rounds once more
      EXPECT_NEAR(table.cos()[positions[p] * 32 + i], cos[p * 32 + i], tolerance)
          << "position " << positions[p] << " pair " << i;
      EXPECT_NEAR(table.sin()[positions[p] * 32 + i], sin[p * 32 + i], tolerance)
          << "position " << positions[p] << " pair " << i;
    }
}

TEST(RopeTable, GrowsWithoutChangingWhatIsThere) {
  RopeTable small({}), large({});
  small.reserve(10);
  const float before = small.cos()[9 * 32 + 3];
  small.reserve(5000);
  large.reserve(5000);
  EXPECT_EQ(small.cos()[9 * 32 + 3], before);
  for (size_t i = 0; i < 5000 * 32; ++i) ASSERT_EQ(small.sin()[i], large.sin()[i]);
}

TEST(RopeTable, AttentionFactorOfTheRealModels) {
  EXPECT_FLOAT_EQ(yarn_attention_factor(32.f), 1.3465735902799727f);
}

}  // namespace
}  // namespace gossamer::kernels
