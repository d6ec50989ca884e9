#pragma once

#include <vector>

#include "kernels/ops.h"

namespace gossamer::testing {

using kernels::CacheRow;
using kernels::kKvBlockTokens;
using kernels::KvLayout;

/// Keys and values of one sequence in blocks, in an order that has nothing to do with their positions, and nonsense
/// where nothing was stored.
class PagedKv {
 public:
  PagedKv(const KvLayout& layout, uint32_t positions) : layout_(layout) {
    const uint32_t blocks = (positions + kKvBlockTokens - 1) / kKvBlockTokens;
    memory_.assign(blocks * layout.block_bytes(), std::byte{0xff});
    for (uint32_t i = 0; i < blocks; ++i) blocks_.push_back(memory_.data() + (blocks - 1 - i) * layout.block_bytes());
  }

  /// k and v: [positions, G, Dh].
  void write(std::span<const float> k, std::span<const float> v) {
    const size_t width = size_t{layout_.kv_heads} * layout_.head_dim;
    for (uint32_t p = 0; p < k.size() / width; ++p)
      write_token(layout_, blocks_[p / kKvBlockTokens], p % kKvBlockTokens, &k[p * width], &v[p * width]);
  }

  CacheRow row(uint32_t start, uint32_t length) const { return {blocks_.data(), start, length}; }
  const KvLayout& layout() const { return layout_; }
  std::span<const std::byte> memory() const { return memory_; }

 private:
  KvLayout layout_;
  std::vector<std::byte> memory_;
  std::vector<std::byte*> blocks_;
};

}  // namespace gossamer::testing
