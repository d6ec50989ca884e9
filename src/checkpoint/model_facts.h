#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "checkpoint/checkpoint.h"

namespace gossamer {

/// A group of tensors that do one job.
struct TensorGroup {
  std::string_view name;      ///< "experts"
  uint64_t parameters = 0;    ///< weights and biases
  uint64_t size_bytes = 0;    ///< as stored; MXFP4 codes and scales together
  std::vector<Dtype> dtypes;  ///< those in use, the one with most bytes first
};

/// What `gossamer show` says, computed from the tensors themselves.
struct ModelFacts {
  std::array<TensorGroup, 6> groups;  ///< embedding, attention, router, experts, head, norms
  uint64_t total_parameters = 0;
  /// Parameters that take part in computing one token, counted as OpenAI's model card does: everything but the
  /// embedding (a lookup) and the experts that are not chosen.
  uint64_t active_parameters = 0;
  uint64_t weight_bytes = 0;        ///< all groups
  uint64_t file_bytes = 0;          ///< all files, headers included
  uint64_t kv_bytes_per_token = 0;  ///< keys and values of all layers in float32, as kv/sequence_cache.h keeps them
};

ModelFacts compute_facts(const Checkpoint& checkpoint);

/// Bytes for weights and the KV cache of one conversation of `num_tokens`.
uint64_t memory_needed(const ModelFacts& facts, uint64_t num_tokens);

}  // namespace gossamer
