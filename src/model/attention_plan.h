#pragma once
/// Which tokens of a batch attention on the device takes one by one, and which together.

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/cuda/step_ops.h"
#include "model/batch.h"

namespace gossamer {

/// Tokens are counted over the rows of the batch. A row of one token is a block of its own for each KV head; longer
/// ones are cut into tiles, which read what is before them once for all of their tokens.
struct AttentionPlan {
  std::vector<uint32_t> singles;
  std::vector<kernels::cuda::AttendTile> tiles;  // those with the most before them first
  uint32_t tile_tokens = kernels::cuda::kFewTileTokens;

  /// Chunks are blocks of their own where there would be too few blocks to keep a GPU busy.
  bool splits_singles(uint32_t kv_heads, uint32_t max_chunks) const;
  bool splits_tiles(uint32_t kv_heads, uint32_t max_chunks) const;
  /// Of AttendOp::partial, for whatever is split.
  uint64_t partial_floats(uint32_t kv_heads, uint32_t max_chunks) const;
};

AttentionPlan plan_attention(std::span<const BatchRow> rows);

}  // namespace gossamer
