#include "model/attention_plan.h"

#include <gmock/gmock.h>

namespace gossamer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<BatchRow> rows_of(std::initializer_list<std::pair<uint32_t, uint32_t>> places) {
  std::vector<BatchRow> rows;
  for (const auto& [start, length] : places) {
    rows.emplace_back();
    rows.back().start = start;
    rows.back().length = length;
  }
  return rows;
}

TEST(AttentionPlan, CutsRowsIntoTilesAndLeavesSingleTokens) {
  const auto rows = rows_of({{100, 1}, {7, 20}, {0, 1}, {500, 3}, {30, 16}});
  const AttentionPlan plan = plan_attention(rows);
  EXPECT_THAT(plan.singles, ElementsAre(0, 21));
  EXPECT_EQ(plan.tile_tokens, 16);
  std::vector<std::pair<uint32_t, uint32_t>> tiles;
  for (const auto& tile : plan.tiles) tiles.emplace_back(tile.first, tile.count);
  // Their last positions: 503, 46, 27 and 23.
  EXPECT_THAT(tiles, ElementsAre(std::pair(22, 3), std::pair(25, 16), std::pair(17, 4), std::pair(1, 16)));
}

TEST(AttentionPlan, HasSmallTilesWhereNoRowIsLong) {
  const AttentionPlan plan = plan_attention(rows_of({{100, 8}, {7, 2}}));
  EXPECT_THAT(plan.singles, IsEmpty());
  EXPECT_EQ(plan.tile_tokens, 8);
  EXPECT_EQ(plan.tiles.size(), 2);
}

TEST(AttentionPlan, SplitsFewBlocksWithinItsMemory) {
  const AttentionPlan one = plan_attention(rows_of({{1000, 1}}));
  EXPECT_FALSE(one.splits_singles(8, 1));
  EXPECT_TRUE(one.splits_singles(8, 2));
  EXPECT_FALSE(one.splits_tiles(8, 2));
  EXPECT_EQ(one.partial_floats(8, 4), 8 * 4 * kernels::cuda::kPartialFloats);

  const AttentionPlan prompt = plan_attention(rows_of({{0, 31 * 16}}));  // 248 blocks
  EXPECT_TRUE(prompt.splits_tiles(8, 32));
  EXPECT_FALSE(prompt.splits_tiles(8, 64)) << "that would be 535 MB";
  EXPECT_EQ(prompt.partial_floats(8, 64), 0);
  const AttentionPlan longer = plan_attention(rows_of({{0, 32 * 16}}));  // 256 blocks
  EXPECT_FALSE(longer.splits_tiles(8, 2));
}

}  // namespace
}  // namespace gossamer
