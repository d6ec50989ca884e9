#include "kv/sequence_cache.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace gossamer {
namespace {

constexpr uint32_t kGrowthTokens = 256;

/// Replaces `memory` by one of `floats`, keeping its first `kept`. Nothing changes where memory runs out.
bool grow(std::unique_ptr<float[]>& memory, uint64_t floats, uint64_t kept) {
  std::unique_ptr<float[]> larger(new (std::nothrow) float[floats]);
  if (!larger) return false;
  if (kept) std::memcpy(larger.get(), memory.get(), kept * sizeof(float));
  memory = std::move(larger);
  return true;
}

}  // namespace

Status SequenceCache::reserve(uint32_t num_tokens) {
  if (num_tokens <= capacity_tokens_) return {};
  // Half as much again, so that a long answer copies each token a few times only.
  uint64_t capacity = std::max<uint64_t>(num_tokens, capacity_tokens_ + capacity_tokens_ / 2);
  capacity = (capacity + kGrowthTokens - 1) / kGrowthTokens * kGrowthTokens;
  const uint64_t floats = capacity * kv_width_, kept = static_cast<uint64_t>(num_tokens_) * kv_width_;
  for (Layer& layer : layers_)
    if (!grow(layer.keys, floats, kept) || !grow(layer.values, floats, kept))
      return make_error(ErrorCode::kIo, "out of memory: the KV cache of {} tokens needs {:.1f} GB", num_tokens,
                        2.0 * static_cast<double>(layers_.size()) * static_cast<double>(floats) * sizeof(float) / 1e9);
  capacity_tokens_ = static_cast<uint32_t>(capacity);
  return {};
}

}  // namespace gossamer
