#pragma once

#include <string>

#include "model/batch.h"

namespace gossamer {

/// Another place where Model::forward() is computed: a device with memory of its own.
class ForwardPass {
 public:
  virtual ~ForwardPass() = default;
  /// Pages of a cache that this place can reach. Errors: no memory, or a dtype that it does not keep.
  virtual Result<KvMemory> allocate_kv(const kernels::KvLayout& layout, const KvShape& shape,
                                       uint32_t num_pages) const = 0;
  /// Of memory that a cache could have.
  virtual uint64_t free_bytes() const = 0;
  /// Takes all memory that batches of so many tokens need, so that none is asked for later. Errors: there is not so
  /// much.
  virtual Status prepare(uint32_t max_tokens) = 0;
  /// Where the weights are, for people; empty where they are all there.
  virtual std::string placement() const { return {}; }
  /// See Model::forward(); the batch was checked.
  virtual Result<std::span<const float>> forward(const Batch& batch, ForwardTrace* trace) = 0;
};

}  // namespace gossamer
