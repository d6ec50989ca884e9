#include "model/attention_plan.h"

#include <algorithm>

namespace gossamer {
namespace {

using namespace kernels::cuda;

constexpr uint64_t kFewBlocks = 512;
/// A tile's block has the work of many, and two of them are all that a multiprocessor takes.
constexpr uint64_t kFewTileBlocks = 256;
/// What may be put aside for splitting: 256 MiB are 30 tokens at 131,072 positions, or 490 at 8,192.
constexpr uint64_t kMostPartialFloats = (256 << 20) / sizeof(float);

uint64_t floats_of(uint64_t places, uint32_t kv_heads, uint32_t max_chunks) {
  return places * kv_heads * max_chunks * kPartialFloats;
}

}  // namespace

AttentionPlan plan_attention(std::span<const BatchRow> rows) {
  AttentionPlan plan;
  for (const BatchRow& row : rows)
    if (row.length > kFewTileTokens) plan.tile_tokens = kManyTileTokens;
  struct Placed {
    AttendTile tile;
    uint32_t end;
  };
  std::vector<Placed> placed;
  uint32_t first = 0;
  for (const BatchRow& row : rows) {
    if (row.length == 1) plan.singles.push_back(first);
    for (uint32_t i = 0; row.length > 1 && i < row.length; i += plan.tile_tokens) {
      const uint32_t count = std::min(plan.tile_tokens, row.length - i);
      placed.push_back({{first + i, count}, row.start + i + count});
    }
    first += row.length;
  }
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) { return a.end > b.end; });
  for (const Placed& one : placed) plan.tiles.push_back(one.tile);
  return plan;
}

bool AttentionPlan::splits_singles(uint32_t kv_heads, uint32_t max_chunks) const {
  return !singles.empty() && max_chunks > 1 && singles.size() * kv_heads < kFewBlocks &&
         floats_of(singles.size(), kv_heads, max_chunks) <= kMostPartialFloats;
}

bool AttentionPlan::splits_tiles(uint32_t kv_heads, uint32_t max_chunks) const {
  return !tiles.empty() && max_chunks > 1 && tiles.size() * kv_heads < kFewTileBlocks &&
         floats_of(tiles.size() * tile_tokens, kv_heads, max_chunks) <= kMostPartialFloats;
}

uint64_t AttentionPlan::partial_floats(uint32_t kv_heads, uint32_t max_chunks) const {
  const uint64_t of_singles =
      splits_singles(kv_heads, max_chunks) ? floats_of(singles.size(), kv_heads, max_chunks) : 0;
  const uint64_t of_tiles =
      splits_tiles(kv_heads, max_chunks) ? floats_of(tiles.size() * tile_tokens, kv_heads, max_chunks) : 0;
  return std::max(of_singles, of_tiles);  // one after the other
}

}  // namespace gossamer
