#include "cli/roofline.h"

#include <gtest/gtest.h>

namespace gossamer::cli {
namespace {

using kernels::Op;

/// 10 tokens: products that read 100 bytes and do 50 operations for each, and a norm whose work nobody counts.
ModelRate rate() {
  ModelRate rate;
  rate.tokens = 10;
  rate.seconds = 4;
  rate.ledger[{.op = Op::kUnembed}] = {.calls = 10, .seconds = 2, .bytes = 1000, .float_flops = 500};
  rate.ledger[{.op = Op::kRmsNorm}] = {.calls = 10, .seconds = 1};
  return rate;
}

TEST(Roofline, IsTheSlowerOfMemoryAndArithmetic) {
  const Roofline by_memory =
      make_roofline(rate(), {}, {.memory_bytes_per_s = 1000, .arithmetic = {.float_flops = 1e9}});
  EXPECT_DOUBLE_EQ(by_memory.limit_tokens_per_s, 10);
  EXPECT_DOUBLE_EQ(by_memory.of_limit(5).value(), 0.5);
  const Roofline by_arithmetic =
      make_roofline(rate(), {}, {.memory_bytes_per_s = 1e9, .arithmetic = {.float_flops = 1000}});
  EXPECT_DOUBLE_EQ(by_arithmetic.limit_tokens_per_s, 20);
}

TEST(Roofline, IsNotThereWhereMemoryIsNoLimit) {
  const Roofline roofline = make_roofline(rate(), {}, {.arithmetic = {.float_flops = 1000}});
  EXPECT_EQ(roofline.limit_tokens_per_s, 0);
  EXPECT_FALSE(roofline.of_limit(5));
  for (const StageRow& stage : roofline.stages) EXPECT_FALSE(stage.of_limit()) << stage.name;
}

TEST(Roofline, OfAStageNeedsWorkThatWasCounted) {
  const Roofline roofline = make_roofline(rate(), {}, {.memory_bytes_per_s = 1000, .arithmetic = {.float_flops = 1e9}});
  ASSERT_EQ(roofline.stages.size(), 2u);
  EXPECT_EQ(roofline.stages[0].name, "lm_head");
  EXPECT_DOUBLE_EQ(roofline.stages[0].of_limit().value(), 0.5);
  EXPECT_FALSE(roofline.stages[1].of_limit());
}

}  // namespace
}  // namespace gossamer::cli
