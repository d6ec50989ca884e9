#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/cuda/runtime.h"

namespace gossamer {

/// Steps of more tokens are no graphs where the host computes experts: it takes milliseconds a layer then, and a copy
/// of a token in a bucket would cost it as much as the token.
inline constexpr uint32_t kMostSegmentTokens = 8;

/// Rows of more tokens are pieces of prompts: their steps are started kernel by kernel, since they take long anyway.
inline constexpr uint32_t kMostGraphRowTokens = 8;
inline constexpr uint32_t kMostGraphTokens = 256;

/// How many tokens a step of `num_tokens` is computed as (the same, where there are more than kMostGraphTokens). What
/// is added are copies of its tokens, which meet the same experts: up to 48 they cost attention a little, behind that
/// rows of products too, 17 % on average. Between two buckets products have the same tiles of 8 or 64 rows.
constexpr uint32_t token_bucket(uint32_t num_tokens) {
  if (num_tokens <= 8 || num_tokens > kMostGraphTokens) return num_tokens;
  for (const uint32_t bucket : {12u, 16u, 24u, 32u, 48u, 64u, 96u, 128u, 160u, 192u, 224u})
    if (num_tokens <= bucket) return bucket;
  return kMostGraphTokens;
}

/// As how many chunks of attention the longest sequence of a step counts. Blocks of chunks that are not there end at
/// once: four times too many are 200 of a short sequence and 3,000 of a long one, so long ones have finer buckets.
constexpr uint32_t chunk_bucket(uint32_t num_chunks) {
  for (const uint32_t bucket : {1u, 2u, 8u, 32u})
    if (num_chunks <= bucket) return bucket;
  uint32_t bucket = 64;
  while (bucket < num_chunks) bucket *= 2;
  return bucket;
}

/// Everything that differs between the graphs of a forward pass. What steps have beside it comes from memory.
struct StepKey {
  uint32_t num_tokens = 0;
  uint32_t max_chunks[2] = {1, 1};  // full, sliding; 1: attention is not split
  const std::byte* cache = nullptr;
  uint64_t page_bytes = 0;
  uint32_t cache_dtype = 0;

  bool has_cache_of(const StepKey& other) const {
    return cache == other.cache && page_bytes == other.page_bytes && cache_dtype == other.cache_dtype;
  }
  bool operator==(const StepKey&) const = default;
};

/// Steps that were recorded, each once, for one cache at a time: in one graph each, or in several where the host does
/// something between them.
class DeviceGraphs {
 public:
  using Segments = std::vector<kernels::cuda::DeviceGraph>;
  /// Gives the kernels of one segment to the stream.
  using RecordFn = std::function<void(uint32_t segment)>;

  /// The step of that key, recorded in so many segments where there is none yet. Null: it cannot be made.
  const Segments* find(const StepKey& key, const kernels::cuda::DeviceStream& stream, uint32_t num_segments,
                       const RecordFn& record);
  /// Forgets all of them: memory that they know moves. Nothing of theirs may be under way.
  void drop() { steps_.clear(); }

  void keep_at_most(size_t num_steps) { most_ = num_steps; }

  /// Steps.
  size_t size() const { return steps_.size(); }
  /// Why the last one could not be made, and no other is tried since; empty: none failed.
  const std::string& failure() const { return failure_; }

 private:
  struct Made {
    StepKey key;
    Segments segments;
  };

  std::vector<Made> steps_;
  size_t most_ = ~size_t{0};
  std::string failure_;
};

}  // namespace gossamer
