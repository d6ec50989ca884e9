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

/// Without oracle values: YaRN leaves waves alone that turn 32 times or more within the original 4096 positions, makes
/// those 32 times longer that do not turn once, and the rest something between.
TEST(RopeTable, ShortWavesStayAndLongOnesAreStretched) {
  const auto frequencies = yarn_inverse_frequencies({});
  ASSERT_EQ(frequencies.size(), 32u);
  uint32_t stay = 0, stretched = 0;
  for (uint32_t i = 0; i < 32; ++i) {
    const double plain = std::pow(150000.0, -2.0 * i / 64), turns = 4096 * plain / (2 * M_PI);
    SCOPED_TRACE(i);
    if (turns >= 32) {
      EXPECT_NEAR(frequencies[i], plain, 1e-6 * plain);
      ++stay;
    } else if (turns <= 1) {
      EXPECT_NEAR(frequencies[i], plain / 32, 1e-6 * plain);
      ++stretched;
    } else {
      EXPECT_LT(frequencies[i], plain);
      EXPECT_GT(frequencies[i], plain / 32);
      EXPECT_LT(frequencies[i], frequencies[i - 1]);
    }
  }
  EXPECT_EQ(stay, 9u);
  EXPECT_EQ(stretched, 14u);
}

TEST(RopeTable, HasTheAnglesOfItsFrequenciesTimesTheFactor) {
  RopeTable table({});
  table.reserve(131072);
  const auto frequencies = yarn_inverse_frequencies({});
  for (const uint32_t position : {0u, 1u, 127u, 4096u, 70001u, 131071u})
    for (uint32_t i = 0; i < 32; ++i) {
      const double angle = static_cast<double>(static_cast<float>(position) * frequencies[i]);
      EXPECT_NEAR(table.cos()[position * 32 + i], 1.3465735902799727 * std::cos(angle), 3e-7) << position << " " << i;
      EXPECT_NEAR(table.sin()[position * 32 + i], 1.3465735902799727 * std::sin(angle), 3e-7) << position << " " << i;
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
